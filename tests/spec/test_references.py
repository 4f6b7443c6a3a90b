"""Published values: read, checked, and those of a case."""

import pytest
from small import REFERENCE, SMALL, mistakes

from benchspec import load
from benchspec.spec.references import Reference, published, slopes

FIELDS = {
    "model": {"name": "opt-6.7b", "layers": 32},
    "dataset": {"name": "resampled", "of": {"name": "alpaca"}, "rows": 10},
}


def reference(kind, value, **changed):
    given = {"source": "a paper", "hardware": "h", "metric": "train_runtime", "experiment": "sizes", "where": {}}
    return Reference(**{**given, "kind": kind, "value": value, "per": None, "node": None, **changed})


def published_of(*references):
    return published(references, "sizes", FIELDS)


def test_a_value_belongs_to_the_cases_that_match_its_where():
    value = reference("value", 900, where={"model": "opt-6.7b"})
    bound = reference("below", 600, where={"model": "opt-13b"})
    assert published_of(value, bound) == [
        {"source": "a paper", "hardware": "h", "metric": "train_runtime", "value": 900}
    ]


def test_other_experiments_and_slopes_are_left_out():
    slope = reference("slope", 180, per={"dataset.rows": 10_000})
    assert published_of(slope, reference("value", 1, experiment="rows")) == []
    assert slopes([slope, reference("value", 1)]) == [
        {"experiment": "sizes", "metric": "train_runtime", "slope": 180, "per": {"dataset.rows": 10_000}}
        | {"source": "a paper", "hardware": "h"}
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("value: 15 parsec", "'15 parsec' is not a number with a unit"),
        ("value: 1, below: 2", "give one of value, below, above, between, slope, outcome; found value and below"),
        ("where: {}", "found none of them"),
        ("slope: 3 min", "'slope' and 'per' must be given together"),
        ("between: [1]", "needs 2 values, found 1"),
        ("between: [10, 8]", "10 is more than 8; give the lower bound first"),
        ("value: 1, where: {modl: x}", "'modl' is not a field of a case"),
        ("outcome: broken", "'broken' is not allowed"),
    ],
)
def test_a_reference_that_makes_no_sense(write, value, message):
    (line,) = mistakes(write(REFERENCE % value))
    assert message in line


def test_a_reference_to_an_unknown_metric_or_experiment(write):
    text = (REFERENCE % "value: 1").replace("train_runtime", "train_time").replace("experiment: one", "experiment: two")
    assert "'train_time' is not allowed" in mistakes(write(text))[0]
    text = (REFERENCE % "value: 1").replace("experiment: one", "experiment: two")
    assert mistakes(write(text))[0].endswith("no experiment is called 'two' (one)")


def test_references_come_in_their_metrics_unit(write):
    value, pair = (load(write(REFERENCE % text)).references[0] for text in ("value: 15 min", "between: [1 min, 2 min]"))
    assert (value.kind, value.value) == ("value", 900)
    assert pair.value == [60, 120]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALL + "    expect: [{where: {modl: x}, outcome: ok}]\n", "'modl' is not a field of a case"),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1
