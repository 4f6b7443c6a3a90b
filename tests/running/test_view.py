"""A running case, an ended one and the time of a run, as texts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from test_progress import LAUNCH, clock, result, step

from benchspec.cases.case import Launch
from benchspec.running.view import View, run_left, summary, times_text

__all__ = ["clock"]


def text(*events, also=()):
    """The line after events of rank 0, and then those of rank 1."""
    view = View(2, LAUNCH)
    for rank, event in [*((0, event) for event in events), *((1, event) for event in also)]:
        view.update(rank, event)
    return view.text(7)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "case 2 of 7  sizes/opt-tiny-1f9c2a  start"),
        ([{"event": "begin", "phase": "build"}], "case 2 of 7  sizes/opt-tiny-1f9c2a  build"),
        ([step(1, 10.0)], "case 2 of 7  sizes/opt-tiny-1f9c2a  step 1"),
        (
            [{"event": "data", "planned_steps": 12}, step(1, 10.0), step(2, 11.0), step(3, 14.0)],
            # 8 rows and 2 s a step, 9 steps to go
            "case 2 of 7  sizes/opt-tiny-1f9c2a  step 3 of 12  4.0 rows/s  18 s left",
        ),
        (
            [step(1, 10.0), step(2, 11.0), {"event": "begin", "phase": "save"}],
            "case 2 of 7  sizes/opt-tiny-1f9c2a  step 2  save",
        ),
        (
            [step(1, 10.0), step(2, 11.0), {"event": "begin", "phase": "save"}, {"event": "end", "phase": "save"}],
            "case 2 of 7  sizes/opt-tiny-1f9c2a  step 2  8.0 rows/s",
        ),
    ],
)
def test_a_running_case_in_a_line(events, said):
    assert text(*events) == said


def test_rows_of_all_ranks_are_counted_whose_shares_differ():
    mine = step(1, 10.0), step(2, 11.0), step(3, 12.0)
    other = {**step(1, 10.0), "rows": 3}, {**step(2, 11.0), "rows": 5}
    assert text(*mine, also=other).endswith("step 3  12.0 rows/s")


def test_a_first_step_that_is_written_twice_tells_nothing_of_the_rest():
    assert "left" not in text({"event": "data", "planned_steps": 12}, step(1, 10.0), step(1, 12.0))


def test_a_finished_case_in_a_line():
    assert summary(LAUNCH, result(), 1, 2) == (
        "case 1 of 2  sizes/opt-tiny-1f9c2a  ok  trained in 15 min 3 s  172.5 rows/s"
    )
    failed = result(outcome="oom", phase="first-step", reason="CUDA out of memory")
    assert summary(LAUNCH, failed, 1, 2).endswith("oom in first-step: CUDA out of memory")


def test_a_projected_time_is_not_said_to_have_been_trained():
    known = {"train_runtime": 903.2, "rows_per_second": 172.5, "steps": 33, "planned_steps": 9750}
    assert summary(LAUNCH, result(basis={"train_runtime": "projected"}, metrics=known), 1, 2) == (
        "case 1 of 2  sizes/opt-tiny-1f9c2a  ok  would train for ~15 min 3 s, after 33 of 9,750 steps  172.5 rows/s"
    )


def test_of_a_sampled_training_nobody_knows_how_long_it_takes():
    launch = Launch(SimpleNamespace(full_name="sizes/a", repeats=1, sampled_to=0.02), 1)
    view = View(2, launch)
    for event in ({"event": "data", "planned_steps": 12}, step(1, 10.0), step(2, 11.0), step(3, 14.0)):
        view.update(0, event)
    assert view.left() is None
    assert "step 3 of at most 12" in view.text(7)


def test_a_case_that_failed_names_its_log():
    failed = result(outcome="crash", phase="build", reason="ValueError: no")
    log = Path("runs/demo/cases/sizes/opt-tiny-1f9c2a/2/stderr.log")
    assert summary(LAUNCH, failed, 1, 2, log).endswith(
        "crash in build: ValueError: no (log: runs/demo/cases/sizes/opt-tiny-1f9c2a/2/stderr.log)"
    )


def view(now, planned, *steps):
    """A view of a case that began then, whose steps ended so many seconds later, by the rank's clock."""
    found = View(1, LAUNCH)
    found.begun = now
    found.update(0, {"event": "data", "planned_steps": planned})
    for number, seconds in enumerate(steps, start=1):
        found.update(0, step(number, 9e9, clock=seconds))
    return found


@pytest.mark.parametrize(
    ("elapsed", "left", "said"),
    [
        (0.4, None, []),
        (1.26, None, ["1.3 s"]),
        (20.4, 18.0, ["20 s, 18 s left"]),
        (190.0, 7300.0, ["3 min 10 s, 2 h 1 min left"]),
        (20.0, 0.0, ["20 s"]),
    ],
)
def test_times_in_words(elapsed, left, said):
    assert times_text(elapsed, left) == said


def test_the_rest_of_a_case_is_that_of_its_planned_steps(clock):
    assert view(clock.now, 10, 5.0, 7.0, 9.0).left() == 14.0
    assert view(clock.now, None, 5.0, 7.0, 9.0).left() is None
    assert view(clock.now, 10, 5.0).left() is None
    assert view(clock.now, 2, 5.0, 7.0, 9.0).left() is None


def test_the_rest_of_a_run_is_that_of_its_case_and_of_those_that_wait(clock):
    training = view(clock.now - 20, 10, 5.0, 7.0, 9.0)
    assert run_left([training], [], 0) == 14.0
    # Nothing has ended: the others take as long as this one.
    assert run_left([training], [], 2) == 14.0 + 2 * 34.0
    assert run_left([training], [50.0, 70.0], 2) == 14.0 + 2 * 60.0


def test_the_rest_of_a_case_that_does_not_train_yet_is_that_of_the_others(clock):
    starting = view(clock.now - 20, None)
    assert run_left([starting], [], 5) is None
    assert run_left([starting], [50.0], 1) == 30.0 + 50.0
    assert run_left([starting], [5.0], 0) == 0.0


def test_cases_that_run_side_by_side_share_those_that_wait(clock):
    one, other = view(clock.now, 10, 5.0, 7.0, 9.0), view(clock.now, 10, 5.0, 6.0, 7.0)
    assert run_left([one, other], [60.0], 4) == 14.0 + 2 * 60.0


def test_nothing_is_left_of_a_run_of_which_nothing_runs():
    assert run_left([], [3.0], 0) is None
