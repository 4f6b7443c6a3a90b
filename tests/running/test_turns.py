"""Whose turn it is, and what of a search for the largest batch need not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchspec import Results, run
from benchspec.reports import build_report

SEARCH = [
    "defaults.measure.search=train.batch_size",
    "defaults.train.batch_size=4",
    "defaults.train.gradient_accumulation=6",
]


def outcomes(results):
    return {result.axes["train.batch_size"]: result.outcome for result in results}


def order():
    lines = map(json.loads, Path("runs/demo/results.jsonl").read_text().splitlines())
    return [(line["axes"]["train.batch_size"], line["outcome"]) for line in lines]


def test_a_search_tries_what_it_needs_to_and_says_why_it_left_out_the_rest(scripted):
    results = run(scripted("fits-5", sets=SEARCH))
    assert outcomes(results) == {
        **dict.fromkeys((1, 2, 4), "ok"),
        **dict.fromkeys((6, 8), "oom"),
        **dict.fromkeys((3, 12, 24), "skipped"),
    }
    assert [size for size, outcome in order() if outcome != "skipped"] == [1, 2, 4, 8, 6]
    reasons = {result.axes["train.batch_size"]: result.reason for result in results}
    assert (reasons[3], reasons[12]) == ("not tried: 4 rows fit", "not tried: 6 rows do not fit")


def test_a_search_that_is_over_is_not_begun_again(scripted):
    spec = scripted("fits-5", sets=SEARCH)
    run(spec)
    before = order()
    run(spec)
    assert order() == before


def test_where_nothing_fits_one_trial_tells(scripted):
    results = run(scripted("fits-0", sets=SEARCH))
    assert outcomes(results) == {1: "oom", **dict.fromkeys((2, 3, 4, 6, 8, 12, 24), "skipped")}


def test_repeated_trials_are_those_that_fit(scripted):
    results = run(scripted("fits-2", sets=SEARCH), repeats=2)
    second = [result for result in results if result.launch == 2]
    assert {result.axes["train.batch_size"] for result in second if result.outcome == "ok"} == {1, 2}
    assert {result.outcome for result in second} == {"ok", "skipped"}


def test_a_report_of_repeated_trials_that_end_alike_says_nothing_else(scripted):
    (section,) = build_report(run(scripted("fits-2", sets=SEARCH), repeats=2)).sections
    (note,) = [note for note in section.notes if "that fits" in note]
    assert note.startswith("batch_size 2 is the largest that fits; ") and "alike" not in note


def test_searches_of_other_axes_are_their_own(scripted):
    results = run(scripted("fits-2", "fits-9", sets=SEARCH))
    found = {end: set() for end in ("fits-2", "fits-9")}
    for result in results:
        if result.outcome == "ok":
            found[result.axes["launcher.end"]].add(result.axes["train.batch_size"])
    assert {end: max(sizes) for end, sizes in found.items()} == {"fits-2": 2, "fits-9": 8}


@pytest.mark.parametrize(
    ("ends", "notes"),
    [
        (["fits-5"], ["batch_size 4 is the largest that fits; "]),
        (["fits-5", "fits-1"], ["fits-5: batch_size 4 is the largest", "fits-1: batch_size 1 is the largest"]),
    ],
)
def test_a_report_tells_the_largest_that_fits_and_the_fastest(scripted, ends, notes):
    results = run(scripted(*ends, sets=SEARCH))
    (section,) = build_report(results).sections
    told = [note for note in section.notes if "is the largest that fits" in note]
    assert len(told) == len(notes) and all(map(str.startswith, told, notes))


def test_only_what_is_selected_is_searched(scripted):
    run(scripted("fits-5", sets=SEARCH), only=["batch_size-2-", "batch_size-12-"])
    assert order() == [(2, "ok"), (12, "oom")]


def test_a_trial_that_crashed_is_tried_again_with_those_that_were_left_out_for_it(scripted, monkeypatch):
    """First the trial of 4 rows crashes; in the next run, nothing does."""
    spec = scripted("fits-50", sets=SEARCH)
    start, crashing = spec.registry.find("launcher", "scripted").cls.start, [True]

    def started(self, case_dir):
        handle = start(self, case_dir)
        if crashing[0] and json.loads((case_dir / "case.json").read_text())["train"]["batch_size"] == 4:
            failure = {
                "event": "failure",
                "outcome": "crash",
                "phase": "train",
                "reason": "ValueError: no",
                "time": 2.0,
            }
            (case_dir / "rank-0.jsonl").write_text(json.dumps(failure) + "\n")
        return handle

    monkeypatch.setattr(spec.registry.find("launcher", "scripted").cls, "start", started)
    first = {result.axes["train.batch_size"]: result for result in run(spec)}
    assert (first[8].outcome, first[8].reason) == ("skipped", "not tried: the trial of 4 rows ended as crash")
    (section,) = build_report(Results.load("runs/demo")).sections
    (note,) = [note for note in section.notes if "that fits" in note]
    assert "batch_size 2 is the largest of those tried so far that fits; " in note
    assert note.endswith("; the search stopped at 4: crash")
    crashing[0] = False
    second = outcomes(run(spec))
    assert second[24] == "ok" and set(second.values()) == {"ok", "skipped"}


def test_a_size_that_a_search_has_skipped_is_tried_if_it_is_asked_for_alone(scripted):
    spec = scripted("fits-5", sets=SEARCH)
    run(spec)
    results = run(spec, only="batch_size-3-")
    assert outcomes(results)[3] == "ok" and order()[-1] == (3, "ok")


def test_sizes_that_only_crash_say_nothing_of_what_fits(scripted):
    (section,) = build_report(run(scripted("crash", sets=SEARCH))).sections
    assert "the search stopped at 1: crash" in section.notes
    assert not any("fits" in note for note in section.notes)


def test_a_report_does_not_call_it_the_largest_before_the_search_is_over(scripted):
    results = run(scripted("fits-50", sets=SEARCH), only=["batch_size-2-", "batch_size-12-"])
    (section,) = build_report(results).sections
    (note,) = [note for note in section.notes if "batch_size" in note and "fits" in note]
    assert note.startswith("batch_size 12 is the largest of those tried so far that fits; ")


def test_a_report_says_that_nothing_fits(scripted):
    (section,) = build_report(run(scripted("fits-0", sets=SEARCH))).sections
    assert "no batch_size fits of those tried, 1" in section.notes
