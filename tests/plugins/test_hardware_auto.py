"""The hardware `auto`: the machine that benchspec runs on."""

from __future__ import annotations

import pytest

from benchspec import Fact
from benchspec.machine.nvml import Accelerator
from benchspec_plugins.hardware import auto
from benchspec_plugins.hardware.accelerators import ACCELERATORS, datasheet


def gpu(name, memory=80 * 2**30, mig=False):
    return Accelerator(name=name, uuid="GPU-1", memory=memory, power_limit=None, mig=mig)


@pytest.fixture
def facts(monkeypatch):
    """The facts that `auto` finds on a machine with these accelerators."""

    def of(*found, price=None, currency=None):
        monkeypatch.setattr("benchspec.machine.accelerators", lambda: list(found))
        return auto.Auto({"price_per_hour": price, "currency": currency}).facts()

    return of


def test_a_known_gpu_has_its_data_sheet_s_figures_and_the_driver_s_memory(facts):
    found = facts(*[gpu("NVIDIA H100 80GB HBM3", memory=85_520_809_984)] * 8)
    assert (found.accelerator, found.accelerators) == ("NVIDIA H100 80GB HBM3", 8)
    assert found.memory == Fact(85_520_809_984, "the driver")
    assert {precision: fact.value for precision, fact in found.peak.items()} == {
        "bf16": 989.4e12,
        "tf32": 494.7e12,
        "fp32": 66.9e12,
    }
    assert (found.memory_bandwidth.value, found.link_bandwidth.value) == (3.35e12, 900e9)
    sourced = [*found.peak.values(), found.memory_bandwidth, found.link_bandwidth]
    assert all("NVIDIA H100" in fact.source for fact in sourced)
    assert found.price_per_hour is None


def test_an_unknown_gpu_has_no_peak(facts):
    found = facts(gpu("NVIDIA H900", memory=None))
    assert (found.accelerator, found.accelerators) == ("NVIDIA H900", 1)
    assert found.peak == {}
    assert (found.memory, found.memory_bandwidth, found.link_bandwidth) == (None, None, None)


@pytest.mark.parametrize("name", ["NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"])
def test_a_slice_has_no_peak(facts, name):
    found = facts(gpu(name, memory=10 * 2**30, mig=True))
    assert found.peak == {}
    assert (found.memory_bandwidth, found.link_bandwidth) == (None, None)
    assert found.memory.value == 10 * 2**30


def test_a_card_has_no_link_bandwidth(facts):
    found = facts(gpu("NVIDIA A100 80GB PCIe"))
    assert found.peak["bf16"].value == 312e12
    assert found.link_bandwidth is None


def test_if_gpus_differ_only_those_named_like_the_first_count(facts):
    found = facts(gpu("NVIDIA L4"), gpu("NVIDIA A10"), gpu("NVIDIA L4"))
    assert (found.accelerator, found.accelerators) == ("NVIDIA L4", 2)
    assert found.memory.source == "the driver, of NVIDIA L4; not counted: NVIDIA A10"


def test_without_gpu_there_is_no_accelerator(facts):
    found = facts(price=0.5, currency="EUR")
    assert (found.accelerator, found.accelerators, found.memory) == (None, 0, None)
    assert (found.price_per_hour, found.currency) == (Fact(0.5, "the spec"), "EUR")


def test_a_price_belongs_to_a_gpu_too(facts):
    found = facts(gpu("NVIDIA L4"), price=0.5, currency="EUR")
    assert (found.price_per_hour, found.currency) == (Fact(0.5, "the spec"), "EUR")


@pytest.mark.parametrize(
    ("name", "bf16"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("A100-SXM4-40GB", 312e12),
        ("NVIDIA A100-PCIE-40GB", 312e12),
        ("NVIDIA A100 80GB PCIe", 312e12),
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835.5e12),
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA H200 NVL", 835.5e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362.05e12),
        ("NVIDIA A10", 125e12),
        ("NVIDIA B200", 2250e12),
        ("NVIDIA GB200", 2500e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("NVIDIA GeForce RTX 5090", 209.5e12),
        ("AMD Instinct MI300X", 1307.4e12),
        ("AMD Instinct MI325X", 1307.4e12),
    ],
)
def test_names_of_drivers_have_a_data_sheet(name, bf16):
    assert datasheet(name).bf16 == bf16


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA H100",
        "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "NVIDIA H1000",
        "NVIDIA L40",
        "NVIDIA A10G",
        "NVIDIA A100X",
        "NVIDIA A100-SXM-64GB",
        "NVIDIA GH200 480GB",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA B200 MIG 1g.23gb",
        "AMD Instinct MI300A",
        "AMD Instinct MI300X VF",
        "",
    ],
)
def test_similar_names_have_no_data_sheet(name):
    assert datasheet(name) is None


@pytest.mark.parametrize("sheet", ACCELERATORS.values(), ids=ACCELERATORS)
def test_no_sheet_mixes_dense_and_sparse_peaks(sheet):
    """Dense or sparse, bf16 runs twice as fast as tf32 on all of them, up to their vendor's rounding."""
    assert sheet.bf16 / sheet.tf32 == pytest.approx(2, rel=0.02)
    # GeForce cards have tensor cores for TF32 that are no faster than the others for fp32.
    assert sheet.tf32 >= sheet.fp32
    assert sheet.source.startswith(("NVIDIA ", "AMD "))
