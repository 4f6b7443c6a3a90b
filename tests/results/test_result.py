"""One result, and the schema that describes it."""

from __future__ import annotations

import json

import pytest
from example_results import oom, result
from jsonschema import Draft202012Validator

from benchspec.results import Result
from benchspec.terms import schemas

CHECK = Draft202012Validator(schemas.load("result"))


#: what a result depends on beside its case
RECORD = {
    "data": {"fingerprint": "9f8e7d", "identity": "sha256 1f9c2a"},
    "processes": 2,
    "machine": {"accelerators": "2 × NVIDIA H100 80GB HBM3", "cpu": "Intel Xeon Platinum 8470", "driver": "570.86.15"},
    "libraries": {"python": "3.11.7", "torch": "2.13.0", "deepspeed": None},
    "commits": {
        "benchspec": {"id": "f" * 40, "dirty": True, "digest": "1f9c2a"},
        "benchspec-example": {"id": None, "dirty": None, "digest": "9f8e7d"},
        "working directory": None,
    },
}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schemas.load("result"))


def test_its_fields_are_those_of_a_result():
    assert list(schemas.load("result")["properties"]) == list(result().to_json())


@pytest.mark.parametrize(
    "valid",
    [
        result(),
        oom(),
        oom(rank=None, outcome="timeout"),
        result(
            basis={"train_runtime": "projected"},
            intervals={"step_time_mean": [1.3, 1.4]},
            proof={"finite_losses": True, "sharded": ["OPTDecoderLayer"]},
        ),
        result(record=RECORD),
        result(
            record={
                "data": {"fingerprint": None, "identity": None},
                "commits": {"working directory": None},
            }
        ),
    ],
)
def test_results_are_as_the_schema_says(valid):
    assert not list(CHECK.iter_errors(valid.to_json()))


@pytest.mark.parametrize(
    "wrong",
    [
        result(outcome="fine"),
        result(reason="it is ok, though"),
        oom(reason=None),
        oom(phase="training"),
        result(metrics={"speed": 3}),
        result(metrics={"mfu": "10%"}),
        result(basis={"mfu": "measured"}),
        result(intervals={"mfu": [1]}),
        result(schema=1),
        result(record={"processes": "2"}),
        result(record={"commits": {"benchspec": {"id": "f" * 40}}}),
    ],
)
def test_what_is_no_result_is_refused(wrong):
    assert not CHECK.is_valid(wrong.to_json())


def test_a_result_survives_json():
    there = oom(proof={"dtype": "float32"})
    assert Result.from_json(json.loads(json.dumps(there.to_json()))).to_json() == there.to_json()


def test_numbers_that_are_not_finite_become_null():
    assert result(proof={"worst": [float("nan"), 1.0]}).to_json()["proof"] == {"worst": [None, 1.0]}


def test_a_field_that_is_not_known_is_refused():
    with pytest.raises(TypeError, match="references"):
        Result.from_json({**result().to_json(), "references": []})


def test_a_result_says_how_it_ended_and_what_was_measured():
    ok = result(metrics={"train_runtime": 841.7, "parameters": 6_658_473_984, "cost": 21_000.5}, currency="USD")
    assert repr(ok) == "<Result sizes/opt-6.7b-1f9c2a: ok, train_runtime 841.7 s, cost 21,000 USD>"
    assert repr(oom()) == (
        "<Result sizes/opt-30b-1f9c2a: oom in first-step on rank 3: CUDA out of memory. Tried to allocate 2 GiB>"
    )
    assert r"\x1b]52" in repr(oom(reason="\x1b]52;c;aa\x07"))


def test_each_metric_has_its_unit():
    metrics = {"train_runtime": 1.0, "peak_memory_allocated": 2, "cost": 3.0}
    assert result(metrics=metrics, currency="EUR").units == {
        "train_runtime": "s",
        "peak_memory_allocated": "bytes",
        "cost": "EUR",
    }
    assert result(metrics=metrics).units["cost"] == "currency of the price"


@pytest.mark.parametrize("outcome", ["crash", "oom", "host-oom", "timeout", "hang", "skipped"])
def test_only_the_metrics_of_a_case_that_is_ok_are_results(outcome):
    assert result(metrics={"mfu": 0.1}).numbers == {"mfu": 0.1}
    failed = oom(metrics={"mfu": 0.1}, outcome=outcome)
    assert (failed.numbers, failed.metrics) == ({}, {"mfu": 0.1})
