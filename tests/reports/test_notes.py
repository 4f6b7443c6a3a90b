"""What is noted beside a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_results import RUN, oom, result, results

from benchspec.reports import build_report
from benchspec.results import Results


def notes(*cases, **run):
    return build_report(results(*cases, **run)).sections[0].notes


def test_a_case_that_failed_has_a_note_that_cannot_move_the_cursor():
    assert notes(oom(reason="boom\x1b[31m\n\tagain")) == [
        "opt-30b-1f9c2a: oom in first-step on rank 3: boom\\x1b[31m again"
    ]


def test_the_training_before_a_query_that_failed_is_noted():
    trained = {"train_runtime": 842.0, "rows_per_second": 185.3, "wall_time": 900.0}
    failed = {"outcome": "oom", "phase": "query", "rank": 0, "reason": "no room"}
    told = "oom in query on rank 0: no room; the training before it is proven: 14 min 2 s, 185 rows/s"
    assert notes(result(metrics=trained, **failed)) == [f"opt-6.7b-1f9c2a: {told}"]
    (of_sampled, *_) = notes(result(metrics=trained, basis={"train_runtime": "projected"}, **failed))
    assert of_sampled.endswith("is proven: ~14 min 2 s, 185 rows/s")
    untrained = {"query_peak_memory": 1.0}
    assert notes(result(metrics=untrained, **failed)) == ["opt-6.7b-1f9c2a: oom in query on rank 0: no room"]


def test_a_case_that_failed_names_its_log(tmp_path):
    folder = tmp_path / "cases" / "sizes" / "opt-30b-1f9c2a" / "1"
    folder.mkdir(parents=True)
    (folder / "stderr.log").write_text("boom")
    (note,) = build_report(Results([oom()], RUN, tmp_path)).sections[0].notes
    assert note.endswith("GiB (log: cases/sizes/opt-30b-1f9c2a/1/stderr.log)")


def test_warnings_are_noted_with_their_cases():
    assert notes(result(warnings=["a\x07"]), result("opt-13b", warnings=["a\x07", "b"])) == [
        "every case: warning: a\\x07",
        "opt-13b-1f9c2a: warning: b",
    ]
    assert notes(result(warnings=["a"])) == ["opt-6.7b-1f9c2a: warning: a"]


def test_a_projection_says_how_precise_it_is_and_how_many_steps_it_comes_from():
    steps = {"train_runtime": 100.0, "steps": 40, "planned_steps": 5000}
    sampled = result(basis={"train_runtime": "projected"}, metrics=steps, intervals={"train_runtime": [98.0, 102.0]})
    more = result("opt-13b", basis={"train_runtime": "projected"}, metrics={**steps, "steps": 1200})
    (note,) = notes(sampled)
    known = "train time of opt-6.7b-1f9c2a, to ±2% (95%) from 40 of 5,000 steps"
    assert note.endswith(f"{known}; times and rates beside it are of those steps")
    wider = replace(more, intervals={"train_runtime": [95.0, 105.0]})
    assert ", to ±2 to 5% (95%) from 40 to 1,200 of 5,000 steps; " in notes(sampled, wider)[0]


def test_figures_of_a_machine_that_this_one_is_not_are_said_beside_what_uses_them():
    other = "the figures of xe9680-h100; this machine differs: 8 × A100, not 8 × H100"
    (section,) = build_report(results(result(), other_figures=other)).sections
    assert section.notes == [f"MFU uses {other}"]
    (section,) = build_report(
        results(result(metrics={"mfu": 0.1, "cost": 2.0}, currency="USD"), other_figures=other)
    ).sections
    assert section.notes == [f"MFU and cost use {other}"]
    (section,) = build_report(results(result(metrics={"energy": 2.0}), other_figures=other)).sections
    assert section.notes == []


@pytest.mark.parametrize(("slow", "said"), [(2.9, False), (8.2, True)])
def test_steps_that_take_unevenly_long_are_remarked_on(slow, said):
    case = result(metrics={"step_time_p50": 0.25, "step_time_p95": 0.25 * slow})
    (section,) = build_report(results(case)).sections
    line = f"steps took unevenly long in opt-6.7b-1f9c2a, their 95th percentile up to {slow:.2f}× the median: "
    assert any(note.startswith(line) for note in section.notes) is said
