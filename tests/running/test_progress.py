"""What a run shows while it runs."""

from __future__ import annotations

import time
from io import StringIO
from types import SimpleNamespace

import example_results
import pytest

from benchspec.cases.case import Launch
from benchspec.running.progress import Lines, Screen, for_stream


def launch(model="opt-tiny", number=1, repeats=1):
    case = f"{model}-1f9c2a"
    return Launch(
        SimpleNamespace(key=("sizes", case), full_name=f"sizes/{case}", repeats=repeats, sampled_to=None), number
    )


LAUNCH = launch()


def step(number, time, rows=8, **fields):
    return {"event": "step", "step": number, "time": time, "rows": rows, **fields}


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, which this test moves on."""

    class Clock:
        now = 100.0

        def pass_(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def result(**fields):
    return example_results.result(
        "opt-tiny", **{"metrics": {"train_runtime": 903.2, "rows_per_second": 172.5}, **fields}
    )


def test_plain_lines_say_the_first_step_and_then_one_in_a_while(clock):
    stream = StringIO()
    lines = Lines(stream)
    lines.begin(1, 0, 1)
    lines.started(LAUNCH)
    for number in range(1, 41):
        clock.pass_(1)
        lines.saw(LAUNCH, 0, step(number, clock.now))
        lines.saw(LAUNCH, 1, step(number, clock.now))
    lines.ended(LAUNCH, result(), None)
    said = stream.getvalue().splitlines()
    assert [line.split("  ")[2] for line in said] == ["start", "step 1", "step 12", "step 23", "step 34", "ok"]
    assert said[2].endswith("  16.0 rows/s  12 s")


def test_no_place_of_a_case_is_said_twice(clock):
    stream = StringIO()
    lines = Lines(stream)
    lines.begin(1, 0, 1)
    lines.started(LAUNCH)
    for phase in ("start", "build", "build"):
        clock.pass_(11)
        lines.saw(LAUNCH, 0, {"event": "begin", "phase": phase})
    assert [line.split("  ")[2] for line in stream.getvalue().splitlines()] == ["start", "build"]


def test_a_run_of_several_cases_says_its_own_time_and_counts_those_that_are_done(clock):
    stream = StringIO()
    lines = Lines(stream)
    lines.begin(9, 5, 4)
    lines.started(LAUNCH)
    clock.pass_(60)
    lines.ended(LAUNCH, result(), None)
    other = launch("opt-125m")
    lines.started(other)
    lines.saw(other, 0, {"event": "data", "planned_steps": 31})
    for number in range(1, 12):
        clock.pass_(2)
        lines.saw(other, 0, step(number, 0.0, clock=clock.now))
    heads = [line.split("  ")[0] for line in stream.getvalue().splitlines()]
    assert heads == ["case 6 of 9", "case 6 of 9", "case 7 of 9", "case 7 of 9", "case 7 of 9"]
    # 20 of the 31 steps to go, 2 s each; two cases have not begun, and the one that ended took a minute.
    assert (
        stream.getvalue()
        .splitlines()[-1]
        .endswith("step 7 of 31  4.0 rows/s  14 s, 48 s left  run 1 min 14 s, 2 min 48 s left")
    )


def test_a_launch_of_several_is_named_and_counts_as_its_case(clock):
    stream = StringIO()
    lines = Lines(stream)
    lines.begin(2, 0, 4)
    for model, number in [("opt-tiny", 1), ("opt-125m", 1), ("opt-125m", 2)]:
        lines.started(launch(model, number, repeats=2))
        clock.pass_(60)
        lines.ended(launch(model, number, repeats=2), result(), None)
    said = stream.getvalue().splitlines()
    assert said[0] == "case 1 of 2  sizes/opt-tiny-1f9c2a  launch 1 of 2  start"
    assert said[4].startswith("case 2 of 2  sizes/opt-125m-1f9c2a  launch 2 of 2  start  run 2 min")
    assert said[5].startswith("case 2 of 2  sizes/opt-125m-1f9c2a  launch 2 of 2  ok")


def test_a_run_continues_if_its_reader_has_gone():
    class Closed(StringIO):
        def write(self, text):
            raise BrokenPipeError

    lines = Lines(Closed())
    lines.begin(1, 0, 1)
    lines.started(LAUNCH)
    lines.end()


def test_a_screen_is_for_terminals():
    class Terminal(StringIO):
        def isatty(self):
            return True

    assert isinstance(for_stream(Terminal()), Screen)
    assert type(for_stream(StringIO())) is Lines


def test_a_run_with_nothing_left_to_do_says_so():
    stream = StringIO()
    Lines(stream).begin(3, 3, 0)
    assert stream.getvalue() == "all cases have results already\n"


@pytest.mark.parametrize("display", [Lines, Screen])
def test_what_a_failed_case_says_cannot_act_on_the_terminal(display):
    stream = StringIO()
    shown = display(stream)
    shown.begin(1, 0, 1)
    shown.started(LAUNCH)
    reason = "boom\x1b]52;c;cHduZWQ=\x07 [bold]x[/bold]\n\u202eagain " + "x" * 10_000
    shown.ended(LAUNCH, result(outcome="crash", phase="tr\x1b[2Jain", reason=reason), None)
    shown.end()
    text = " ".join(stream.getvalue().split())
    assert r"crash in tr\x1b[2Jain: boom\x1b]52;c;cHduZWQ=\x07 [bold]x[/bold] \u202eagain x" in text.replace("\x1b", "")
    assert not {"\x07", "\u202e"} & set(text) and "\x1b]52" not in text and "\x1b[2J" not in text
    assert len(text) < 800 and "more characters)" in text
