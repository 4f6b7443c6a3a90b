"""Values as short text."""

from __future__ import annotations

import pytest

from benchspec.reports import (
    field_text,
    measured_verdict_text,
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
    ("verdict", "published", "measured"),
    [
        ({"kind": "value", "published": 900, "measured": 841.7}, "15 min", "14 min 2 s"),
        ({"kind": "value", "published": 900, "measured": 841.7, "basis": "projected"}, "15 min", "~14 min 2 s"),
        ({"kind": "below", "published": 600, "measured": None}, "< 10 min", "–"),
        ({"kind": "above", "published": 600, "measured": 900}, "> 10 min", "15 min"),
        ({"kind": "between", "published": [600, 720], "measured": 660}, "10 min to 12 min", "11 min"),
        ({"kind": "outcome", "published": "oom", "measured": "ok"}, "oom", "ok"),
        ({"kind": "ordering", "published": ["a", "b"], "measured": ["b", "a"]}, "a < b", "b < a"),
        ({"kind": "linear", "published": 0.98, "measured": 0.99951}, "linear", "R² 0.9995"),
    ],
)
def test_each_kind_of_published_value_and_what_was_measured(verdict, published, measured):
    whole = {"metric": "train_runtime", "basis": None, **verdict}
    assert (published_text(whole), measured_verdict_text(whole)) == (published, measured)


def test_a_verdict_with_its_words_but_for_differences_which_a_note_lists():
    assert verdict_text({"verdict": "better", "words": "3.1× faster"}) == "better: 3.1× faster"
    assert verdict_text({"verdict": "not comparable", "words": "train.max_steps: 4"}) == "not comparable"


@pytest.mark.parametrize(("median", "said"), [(24, "24"), (24.0, "24"), (1234.0, "1,234"), (24.5, "24.5")])
def test_a_count_is_a_whole_number_as_the_median_of_launches_too(median, said):
    assert metric_text("steps", median) == said
