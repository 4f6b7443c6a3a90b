"""The hardware `custom` and its presets."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from benchspec import Fact
from benchspec_plugins.hardware.named import Custom

SCHEMA = {"type": "object", "additionalProperties": False, **Custom.options_schema}


def machine(**options):
    """A machine with these options, the others at their defaults."""
    properties = Custom.options_schema["properties"]
    defaults = {key: schema["default"] for key, schema in properties.items() if "default" in schema}
    return Custom({**defaults, **options}).facts()


def errors(options):
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(options)]


def test_a_machine_has_the_figures_of_its_options():
    facts = machine(
        accelerator="Gaudi 9",
        accelerators=8,
        memory=128 * 2**30,
        peak={"bf16": 1e15},
        memory_bandwidth=3e12,
        link_bandwidth=1e12,
        price_per_hour=32.5,
        currency="USD",
        source="its maker's data sheet",
    )
    assert (facts.accelerator, facts.accelerators) == ("Gaudi 9", 8)
    assert facts.memory == Fact(128 * 2**30, "its maker's data sheet")
    assert facts.peak == {"bf16": Fact(1e15, "its maker's data sheet")}
    assert facts.memory_bandwidth == Fact(3e12, "its maker's data sheet")
    assert facts.link_bandwidth == Fact(1e12, "its maker's data sheet")
    assert (facts.price_per_hour, facts.currency) == (Fact(32.5, "the spec"), "USD")


def test_figures_that_are_not_given_are_unknown():
    facts = machine(accelerators=2, memory=2**30)
    assert facts.memory == Fact(2**30, "the spec")
    assert (facts.accelerator, facts.peak) == (None, {})
    assert (facts.memory_bandwidth, facts.link_bandwidth, facts.price_per_hour) == (None, None, None)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accelerators": -1},
        {"accelerators": 1, "price_per_hour": 0},
        {"accelerators": 1, "price_per_hour": 1, "currency": "usd"},
        {"accelerators": 1, "peak": {"bf16": 0}},
        {"accelerators": 1, "peak": {"fp8": 1e15}},
        {"accelerators": 1, "memory": 1.5},
        {"accelerators": 1, "cores": 52},
    ],
)
def test_invalid_options_are_errors(options):
    assert errors(options)


def test_sizes_may_be_written_with_a_unit():
    assert not errors({"accelerators": 1, "memory": "80 GiB"})


@pytest.mark.parametrize("preset", Custom.presets)
def test_presets_are_plain_options(preset):
    assert not errors(Custom.presets[preset])


@pytest.mark.parametrize(
    ("preset", "accelerator", "gigabytes", "bf16"),
    [
        ("xe9680-h100", "NVIDIA H100 80GB HBM3", 80, 989.4e12),
        ("xe9680-a100", "NVIDIA A100-SXM4-80GB", 80, 312e12),
        ("cloud-8xa100", "NVIDIA A100 80GB", 80, 312e12),
        ("h200", "NVIDIA H200", 141, 989.4e12),
    ],
)
def test_servers_have_eight_accelerators_with_sourced_figures(preset, accelerator, gigabytes, bf16):
    facts = machine(**Custom.presets[preset])
    assert (facts.accelerator, facts.accelerators) == (accelerator, 8)
    assert facts.memory.value == gigabytes * 2**30
    assert facts.peak["bf16"].value == bf16
    assert "data sheet" in facts.peak["bf16"].source or "white paper" in facts.peak["bf16"].source
    assert facts.price_per_hour is None


def test_what_is_undisclosed_of_the_cloud_instance_stays_unknown():
    facts = machine(**Custom.presets["cloud-8xa100"])
    assert (facts.memory_bandwidth, facts.link_bandwidth, facts.price_per_hour) == (None, None, None)
    assert "undisclosed" in facts.memory.source


def test_a_cpu_has_no_accelerator_and_no_peak():
    facts = machine(**Custom.presets["cpu"])
    assert (facts.accelerator, facts.accelerators, facts.peak, facts.memory) == (None, 0, {}, None)
