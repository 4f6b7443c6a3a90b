import pytest

from benchspec.spec.references import Reference, beside, published, slopes
from benchspec.terms.where import matches

FIELDS = {
    "model": {"name": "opt-6.7b", "layers": 32},
    "dataset": {"name": "resampled", "of": {"name": "alpaca"}, "rows": 10},
}


def reference(kind, value, **changed):
    given = {"source": "a paper", "hardware": "h", "metric": "train_runtime", "experiment": "sizes", "where": {}}
    return Reference(**{**given, "kind": kind, "value": value, "per": None, "mark": None, **changed})


def told_of(*references):
    return published(references, "sizes", FIELDS)


@pytest.mark.parametrize(
    ("where", "agrees"),
    [
        ({}, True),
        ({"model": "opt-6.7b"}, True),
        ({"model": "opt-13b"}, False),
        ({"model": {"name": "opt-6.7b", "layers": 32}}, True),
        ({"model": {"name": "opt-6.7b", "layers": 2}}, False),
        ({"model.layers": 32, "dataset.rows": 10}, True),
        ({"dataset.of": "alpaca"}, True),
        ({"dataset.rows": 11}, False),
        ({"dataset.none": 1}, False),
    ],
)
def test_where(where, agrees):
    assert matches(where, FIELDS) is agrees


@pytest.mark.parametrize(
    ("kind", "value", "key", "verdict"),
    [
        ("value", 900, "ratio", 0.5),
        ("below", 600, "met", True),
        ("below", 450, "met", False),
        ("above", 100, "met", True),
        ("between", [400, 500], "met", True),
        ("between", [460, 500], "met", False),
    ],
)
def test_a_measured_value_beside_a_published_one(kind, value, key, verdict):
    (told,) = beside(told_of(reference(kind, value)), "ok", {"train_runtime": 450})
    assert told[key] == verdict and told[kind] == value
    assert (told["source"], told["hardware"], told["metric"]) == ("a paper", "h", "train_runtime")


def test_what_was_not_measured_has_no_ratio_and_meets_nothing():
    told = beside(told_of(reference("value", 900), reference("below", 900)), "oom", {})
    assert (told[0]["ratio"], told[1]["met"]) == (None, None)


def test_what_a_crashed_case_measured_is_compared_with_nothing():
    (told,) = beside(told_of(reference("value", 900)), "crash", {"train_runtime": 450})
    assert told["ratio"] is None


def test_an_outcome():
    told = told_of(reference("outcome", "oom", metric=None))
    assert beside(told, "oom", {})[0]["met"] is True
    assert beside(told, "ok", {})[0]["met"] is False


def test_other_experiments_and_slopes_stand_elsewhere():
    slope = reference("slope", 180, per={"dataset.rows": 10_000})
    assert told_of(slope, reference("value", 1, experiment="rows")) == []
    assert slopes([slope, reference("value", 1)]) == [
        {"experiment": "sizes", "metric": "train_runtime", "slope": 180, "per": {"dataset.rows": 10_000}}
        | {"source": "a paper", "hardware": "h"}
    ]
