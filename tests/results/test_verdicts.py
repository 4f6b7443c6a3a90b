"""Published values compared with what was measured."""

from __future__ import annotations

import pytest
from example_results import oom, published, result, results

from benchspec.results import Results


def verdicts(metrics, *values, outcome="ok"):
    measured = result(metrics=metrics, outcome=outcome)
    return results((measured, *values)).verdicts


def test_a_verdict_says_what_was_published_of_which_case_and_what_was_measured():
    assert verdicts({"train_runtime": 450.0}, published(value=900)) == [
        {
            "source": "Fauber and Patel 2023, Figure 6",
            "hardware": "xe9680-h100",
            "experiment": "sizes",
            "case": "opt-6.7b-1f9c2a",
            "kind": "value",
            "metric": "train_runtime",
            "published": 900,
            "measured": 450.0,
            "ratio": 0.5,
            "met": None,
        }
    ]


@pytest.mark.parametrize(
    ("value", "met"),
    [
        ({"below": 600}, True),
        ({"below": 450}, False),
        ({"above": 100}, True),
        ({"above": 450}, False),
        ({"between": [400, 500]}, True),
        ({"between": [450, 500]}, True),
        ({"between": [460, 500]}, False),
    ],
)
def test_a_bound_is_met_or_not(value, met):
    (verdict,) = verdicts({"train_runtime": 450}, published(**value))
    assert {verdict["kind"]: verdict["published"]} == value
    assert (verdict["measured"], verdict["ratio"], verdict["met"]) == (450, None, met)


def test_an_outcome_is_met_or_not():
    expected = published(metric=None, outcome="oom")
    assert [(v["measured"], v["met"]) for v in results((oom(), expected)).verdicts] == [("oom", True)]
    assert [(v["measured"], v["met"]) for v in results((result(), expected)).verdicts] == [("ok", False)]


def test_what_was_not_measured_has_no_ratio_and_is_neither_met_nor_not():
    found = verdicts({}, published(value=900), published(below=900), outcome="oom")
    assert [(v["measured"], v["ratio"], v["met"]) for v in found] == [(None, None, None)] * 2


def test_a_published_zero_has_no_ratio():
    (verdict,) = verdicts({"energy": 5.0}, published(value=0, metric="energy"))
    assert (verdict["measured"], verdict["ratio"]) == (5.0, None)


@pytest.mark.parametrize("outcome", ["crash", "oom", "timeout", "hang"])
def test_what_a_case_that_is_not_ok_had_measured_is_compared_with_nothing(outcome):
    found = verdicts({"train_runtime": 450}, published(value=900), published(below=900), outcome=outcome)
    assert [(v["measured"], v["ratio"], v["met"]) for v in found] == [(None, None, None)] * 2


def test_a_case_without_a_result_has_its_verdicts_too():
    run = {"published": {"sizes/a": [published(value=900)], "rows/b": [published(metric=None, outcome="oom")]}}
    found = Results([], run).verdicts
    assert [(v["experiment"], v["case"], v["published"]) for v in found] == [("sizes", "a", 900), ("rows", "b", "oom")]
    assert all(v["measured"] is v["ratio"] is v["met"] is None for v in found)


def test_each_case_is_compared_by_itself():
    both = results((result(metrics={"train_runtime": 90}), published(value=900)), (oom(), published(below=600)))
    assert [(v["case"], v["measured"]) for v in both.verdicts] == [("opt-6.7b-1f9c2a", 90), ("opt-30b-1f9c2a", None)]


def test_nothing_published_is_no_verdict():
    assert Results([result()]).verdicts == []
    assert results(result()).verdicts == []
