"""A running case, an ended one, the time of a run and its interruption, as texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchspec.cases.case import Case, Launch
from benchspec.results.events import Event
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError
from benchspec.terms.units import duration_text


class View:
    """The progress of a running case."""

    def __init__(self, number: int, launch: Launch):
        #: of its case
        self.number = number
        self.name = str(launch)
        self.begun = time.monotonic()
        self.phase = "start"
        self.planned: int | None = None
        #: whether it may stop before the last of them
        self.sampled = launch.case.sampled_to is not None
        self.step = 0
        #: when the first and the last step ended, by rank 0's clock; the first step is slower and so not counted
        self.first: float | None = None
        self.last = 0.0
        #: of each rank, its steps so far and their rows
        self.steps = Counter[int]()
        self.rows = Counter[int]()
        #: rows that a data set has made, of how many
        self.made = ""
        #: the place that was printed last
        self.said = ""

    def update(self, rank: int, event: Event) -> None:
        """Count the rows of any rank, as their shares may differ; the place is rank 0's."""
        if event["event"] == "step":
            self.steps[rank] += 1
            self.rows[rank] += event["rows"]
        if rank == 0:
            self._move(event)

    def _move(self, event: Event) -> None:
        kind = event["event"]
        if kind == "begin":
            self.phase = event["phase"]
        elif kind == "end" and event["phase"] == "save":
            self.phase = "train"
        elif kind == "progress":
            self.made = f"{event['done']:,} of {event['total']:,} rows"
        elif kind == "data":
            self.planned = event["planned_steps"]
        elif kind == "step":
            self.step, self.last = event["step"], event.get("clock", event["time"])
            self.first = self.last if self.first is None else self.first

    def place(self) -> str:
        """Where it is: its phase or its step."""
        if not self.step:
            return f"{self.phase}  {self.made}" if self.phase == "data" and self.made else self.phase
        most = "at most " if self.sampled else ""
        known = self.planned and self.planned >= self.step
        steps = f"step {self.step}" + (f" of {most}{self.planned}" if known else "")
        return f"{steps}  save" if self.phase == "save" else steps

    def text(self, cases: int) -> str:
        """Where it is, how fast it trains, for how long it has run and how long it will take."""
        rate = [f"{rate:,.1f} rows/s"] if (rate := self._rate()) and self.phase != "save" else []
        times = times_text(time.monotonic() - self.begun, self.left())
        return "  ".join([f"case {self.number} of {cases}  {self.name}", self.place(), *rate, *times])

    def left(self) -> float | None:
        """The seconds that its remaining steps will take; None if that is not known."""
        seconds = self._step_time()
        if self.sampled or not seconds or not self.planned or self.step > self.planned:
            return None
        return (self.planned - self.step) * seconds

    def _rate(self) -> float | None:
        """Rows a second; None if that is not known."""
        seconds = self._step_time()
        # A step of one rank may be seen before that of another.
        return sum(self.rows[rank] / steps for rank, steps in self.steps.items()) / seconds if seconds else None

    def _step_time(self) -> float | None:
        """Seconds that a step after the first took, on average; None if that is not known."""
        if self.first is None or self.step <= 1 or self.last <= self.first:
            return None
        return (self.last - self.first) / (self.step - 1)


def run_left(views: Sequence[View], ended: Sequence[float], waiting: int) -> float | None:
    """The seconds that a run will take yet; None if that is not known.

    A launch that has not started takes as long as those that have ended (`ended`: their seconds), or as those that run.
    """
    now = time.monotonic()
    known = [(now - view.begun, left) for view in views if (left := view.left()) is not None]
    lengths = list(ended) or [sum(pair) for pair in known]
    if not lengths or not views:
        return None
    typical = fmean(lengths)
    running = [left if (left := view.left()) is not None else max(0.0, typical - (now - view.begun)) for view in views]
    return max(running) + waiting * typical / len(views)


def times_text(elapsed: float, left: float | None) -> list[str]:
    """`20 s, 18 s left`; empty if it has just begun and nothing is known."""
    said = [duration_text(_rounded(elapsed))] if elapsed >= 1 else []
    said += [f"{duration_text(_rounded(left))} left"] if left else []
    return [", ".join(said)] if said else []


def _rounded(seconds: float) -> float:
    return round(seconds) if seconds >= 10 else round(seconds, 1)


def summary(launch: Launch, result: Result, number: int, cases: int, log: Path | None = None) -> str:
    """A finished launch as one line; one that failed with the place of its log."""
    head = f"case {number} of {cases}  {launch}  {result.ending}"
    if result.outcome != "ok":
        return f"{head} (log: {log})" if log else head
    seconds, rows = result.metrics.get("train_runtime"), result.metrics.get("rows_per_second")
    trained = f"would train for ~{{}}, after {_steps(result)}" if result.basis.get("train_runtime") else "trained in {}"
    parts = [trained.format(duration_text(seconds)) if seconds else "", f"{rows:,.1f} rows/s" if rows else ""]
    return "  ".join([head, *filter(None, parts)])


def _steps(result: Result) -> str:
    """`30 of 9,750 steps`."""
    ran, planned = (result.metrics.get(name, 0) for name in ("steps", "planned_steps"))
    return f"{ran:,.0f} of {planned:,.0f} steps"


def interrupted(folder: str, cases: Sequence[Case], fresh: bool) -> str:
    """The message after an interruption: how many of the cases have a result, and how to resume.

    `fresh` says whether the run was started with --fresh.
    """
    try:
        results = Results.load(folder)
    except BenchspecError:
        return "interrupted before the first case"
    finished = {result.full_name for result in results}.difference(results.missing())
    done = sum(case.full_name in finished for case in cases)
    again = "without --fresh " if fresh else ""
    return f"interrupted: {done} of {len(cases)} cases have a result in {folder}; run the same command {again}to resume"
