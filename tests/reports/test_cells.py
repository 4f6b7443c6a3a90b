"""Values as short text."""

from __future__ import annotations

import pytest

from benchspec.reports import (
    field_text,
    metric_text,
    number_text,
    published_text,
    ratio_text,
    verdict_text,
)
from benchspec.reports.cells import axis_texts


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (13294.4, "13,294"),
        (185.31, "185"),
        (21.33, "21.3"),
        (3.4, "3.40"),
        (0.04172, "0.0417"),
        (52002, "52,002"),
        (0, "0"),
    ],
)
def test_numbers_have_three_digits_or_all_before_the_point(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("train_runtime", 903.2, "15 min 3 s"),
        ("peak_memory_allocated", 3 * 2**29, "1.50 GiB"),
        ("energy", 999.0, "999 J"),
        ("mfu", 0.1042, "10.4%"),
        ("final_loss", 0.92345, "0.923"),
        ("cost", 1234.5, "1,234.50"),
        ("steps", 1200, "1,200"),
    ],
)
def test_a_metric_is_shown_as_its_unit_suggests(metric, value, text):
    assert metric_text(metric, value) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.9352, "0.94×"), (1.0, "1.00×"), (0.078, "0.078×"), (12.4, "12×"), (1234.0, "1,234×")]
)
def test_ratios(ratio, text):
    assert ratio_text(ratio) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-5, "2e-5"),
        (10_000, "10,000"),
        (True, "true"),
        (None, "none"),
        ("bf16", "bf16"),
        ([1, 2], "[1, 2]"),
        (0.5, "0.5"),
        ({"name": "fsdp", "cpu_offload": True}, "fsdp cpu_offload=true"),
    ],
)
def test_fields_read_as_they_are_written_in_a_spec(value, text):
    assert field_text(value) == text


def test_plugins_of_one_name_are_shown_with_the_options_that_differ():
    backends = [
        "ddp",
        {"name": "fsdp", "mode": "full_shard", "cpu_offload": True},
        {"name": "fsdp", "mode": "full_shard", "cpu_offload": False},
        {"name": "deepspeed", "stage": 3},
    ]
    assert axis_texts(backends) == ["ddp", "fsdp cpu_offload=true", "fsdp cpu_offload=false", "deepspeed"]


def test_a_name_alone_differs_from_the_name_with_an_option():
    assert axis_texts(["fsdp", {"name": "fsdp", "cpu_offload": True}]) == ["fsdp", "fsdp cpu_offload=true"]


@pytest.mark.parametrize(
    ("verdict", "published", "compared"),
    [
        ({"kind": "value", "published": 900, "ratio": 0.9352}, "15 min", "0.94×"),
        ({"kind": "value", "published": 900, "ratio": None}, "15 min", "–"),
        ({"kind": "below", "published": 600, "met": False}, "< 10 min", "not met"),
        ({"kind": "above", "published": 600, "met": None}, "> 10 min", "–"),
        ({"kind": "between", "published": [600, 720], "met": True}, "10 min to 12 min", "met"),
        ({"kind": "outcome", "published": "oom", "met": False}, "oom", "not met"),
    ],
)
def test_each_kind_of_published_value(verdict, published, compared):
    whole = {"metric": "train_runtime", "ratio": None, "met": None, **verdict}
    assert (published_text(whole), verdict_text(whole)) == (published, compared)
