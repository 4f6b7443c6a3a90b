"""What a run shows while it runs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchspec.running import progress
from benchspec.running.progress import Lines, Screen, View, for_stream, summary

CASE = SimpleNamespace(experiment="sizes", id="opt-tiny-1f9c2a", processes=1)


def step(number, time, rows=8):
    return {"event": "step", "step": number, "time": time, "rows": rows}


def result(**fields):
    usual = {"experiment": "sizes", "case": "opt-tiny-1f9c2a", "outcome": "ok", "phase": None, "reason": None}
    return SimpleNamespace(**{**usual, "metrics": {"train_runtime": 903.2, "rows_per_second": 172.5}, **fields})


def text(*events):
    view = View(2, CASE)
    for event in events:
        view.update(event)
    return view.text(7)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "case 2 of 7  sizes/opt-tiny-1f9c2a  start"),
        ([{"event": "begin", "phase": "build"}], "case 2 of 7  sizes/opt-tiny-1f9c2a  build"),
        ([step(1, 10.0)], "case 2 of 7  sizes/opt-tiny-1f9c2a  step 1"),
        (
            [{"event": "data", "planned_steps": 12}, step(1, 10.0), step(2, 11.0), step(3, 14.0)],
            # 16 rows in the 4 s after the first step, 2 s a step, 9 steps to go
            "case 2 of 7  sizes/opt-tiny-1f9c2a  step 3 of 12  4.0 rows/s  18 s left",
        ),
        (
            [{"event": "start", "world": 8}, step(1, 10.0), step(2, 11.0)],
            "case 2 of 7  sizes/opt-tiny-1f9c2a  step 2  64.0 rows/s",
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


def test_a_finished_case_in_a_line():
    assert summary(result(), 1, 2) == ("case 1 of 2  sizes/opt-tiny-1f9c2a  ok  trained in 15 min 3 s  172.5 rows/s")
    failed = result(outcome="oom", phase="first-step", reason="CUDA out of memory")
    assert summary(failed, 1, 2).endswith("oom in first-step: CUDA out of memory")


def test_a_case_that_failed_names_its_log():
    failed = result(outcome="crash", phase="build", reason="ValueError: no")
    log = Path("runs/demo/cases/sizes/opt-tiny-1f9c2a/2/stderr.log")
    assert summary(failed, 1, 2, log).endswith(
        "crash in build: ValueError: no (log: runs/demo/cases/sizes/opt-tiny-1f9c2a/2/stderr.log)"
    )


def test_plain_lines_say_the_first_step_and_then_one_in_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = StringIO()
    lines = Lines(stream)
    lines.begin(1)
    lines.started(CASE)
    for number in range(1, 41):
        now[0] += 1
        lines.saw(CASE, 0, step(number, now[0]))
        lines.saw(CASE, 1, step(number, now[0]))
    lines.ended(CASE, result(), None)
    said = stream.getvalue().splitlines()
    assert [line.split("  ")[2] for line in said] == ["start", "step 1", "step 12", "step 23", "step 34", "ok"]


def test_a_run_continues_if_its_reader_has_gone():
    class Closed(StringIO):
        def write(self, text):
            raise BrokenPipeError

    lines = Lines(Closed())
    lines.begin(1)
    lines.started(CASE)
    lines.end()


def test_a_screen_is_for_terminals():
    class Terminal(StringIO):
        def isatty(self):
            return True

    assert isinstance(for_stream(Terminal()), Screen)
    assert type(for_stream(StringIO())) is Lines


def test_a_run_with_nothing_left_to_do_says_so():
    stream = StringIO()
    Lines(stream).begin(0)
    assert stream.getvalue() == "all cases have results already\n"


@pytest.mark.parametrize("display", [Lines, Screen])
def test_what_a_failed_case_says_cannot_act_on_the_terminal(display):
    stream = StringIO()
    shown = display(stream)
    shown.begin(1)
    shown.started(CASE)
    reason = "boom\x1b]52;c;cHduZWQ=\x07 [bold]x[/bold]\n\u202eagain " + "x" * 10_000
    shown.ended(CASE, result(outcome="crash", phase="tr\x1b[2Jain", reason=reason), None)
    shown.end()
    text = " ".join(stream.getvalue().split())
    assert r"crash in tr\x1b[2Jain: boom\x1b]52;c;cHduZWQ=\x07 [bold]x[/bold] \u202eagain x" in text.replace("\x1b", "")
    assert not {"\x07", "\u202e"} & set(text) and "\x1b]52" not in text and "\x1b[2J" not in text
    assert len(text) < 800 and "more characters)" in text
