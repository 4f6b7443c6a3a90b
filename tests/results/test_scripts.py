"""Reports of scripts of one's own say in which settings their cases differ."""

from __future__ import annotations

from example_results import result

from benchspec.results.scripts import told_apart


def test_settings_that_differ_are_axes():
    cases = [result(case=name, axes={"model": "mine"}) for name in ("a", "b")]
    settings = {"sizes/a": {"train.seed": 1, "processes": 2}, "sizes/b": {"train.seed": 2, "processes": 2}}
    assert [each.axes for each in told_apart(cases, {"settings": settings})] == [
        {"model": "mine", "train.seed": 1},
        {"model": "mine", "train.seed": 2},
    ]


def test_cases_of_a_spec_stay_as_they_are():
    cases = [result()]
    assert told_apart(cases, {}) == cases
