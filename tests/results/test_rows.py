"""Results as flat rows."""

from __future__ import annotations

import pytest
from example_results import RUN, oom, published, result, results


def test_a_row_has_everything_of_a_case_and_rows_have_the_same_keys():
    axes = {"model": "opt-6.7b", "train.max_steps": None, "backend": {"name": "fsdp", "cpu_offload": True}}
    ok = result(axes=axes, metrics={"train_runtime": 841.7, "cost": 2.0}, currency="USD", basis={"cost": "projected"})
    first, second = results((ok, published(value=900)), oom()).rows()
    assert list(first) == list(second)
    assert first == {
        "experiment": "sizes",
        "case": "opt-6.7b-1f9c2a",
        "attempt": "1",
        "launch": 1,
        "model": "opt-6.7b",
        "train.max_steps": None,
        "backend": '{"name": "fsdp", "cpu_offload": true}',
        "outcome": "ok",
        "phase": None,
        "rank": None,
        "reason": None,
        "train_runtime": 841.7,
        "cost": 2.0,
        "currency": "USD",
        "basis:cost": "projected",
        "published:train_runtime": 900,
        "ratio:train_runtime": pytest.approx(0.935, rel=1e-3),
        "verdict:train_runtime": "other machine",
        "source:train_runtime": "Fauber and Patel 2023, Figure 6",
        "hardware:train_runtime": "xe9680-h100",
        "machine": RUN["machine_line"],
    }
    assert (second["outcome"], second["rank"], second["train_runtime"], second["backend"]) == ("oom", 3, None, None)


def test_a_published_value_stands_beside_the_first_launch_alone():
    first, second = results((result(), published(value=900)), result(launch=2)).rows()
    assert (first["launch"], first["published:train_runtime"]) == (1, 900)
    assert (second["launch"], second["published:train_runtime"]) == (2, None)


def test_a_case_that_is_not_ok_has_no_numbers():
    (row,) = results(oom(metrics={"mfu": 0.1}, basis={"mfu": "projected"}, currency="USD")).rows()
    assert not {"mfu", "basis:mfu", "currency"} & set(row)


def test_a_data_frame_is_one_line():
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.DataFrame(results(result(), oom(), result("opt-13b")).rows())
    assert frame.groupby("model")["rows_per_second"].mean().to_dict() == {
        "opt-13b": 185.31,
        "opt-30b": pytest.approx(float("nan"), nan_ok=True),
        "opt-6.7b": 185.31,
    }


def test_no_results_are_no_rows():
    assert results().rows() == []
