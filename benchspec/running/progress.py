"""The progress of a run, on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from benchspec.cases.case import Case
from benchspec.results.events import Event
from benchspec.results.result import Result
from benchspec.terms.harmless import brief, one_line
from benchspec.terms.units import duration_text

if TYPE_CHECKING:
    from rich.live import Live

#: seconds between plain lines of one case
QUIET_SECONDS = 10.0


class Progress(Protocol):
    """Receives what happens in a run: the interface of progress displays.

    `log` is what the case wrote to stderr; None if there is no file. `note` is for a line that is of no running case.
    """

    def begin(self, cases: int) -> None: ...

    def started(self, case: Case) -> None: ...

    def saw(self, case: Case, rank: int, event: Event) -> None: ...

    def ended(self, case: Case, result: Result, log: Path | None) -> None: ...

    def note(self, text: str) -> None: ...

    def end(self) -> None: ...


class Quiet:
    """Shows nothing."""

    def begin(self, cases: int) -> None:
        pass

    def started(self, case: Case) -> None:
        pass

    def saw(self, case: Case, rank: int, event: Event) -> None:
        pass

    def ended(self, case: Case, result: Result, log: Path | None) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def end(self) -> None:
        pass


class View:
    """The progress of a running case, as one line."""

    def __init__(self, number: int, case: Case):
        self.number = number
        self.name = f"{case.experiment}/{case.id}"
        self.phase = "start"
        self.processes = 1
        self.planned: int | None = None
        self.step = 0
        #: (time, rows) of the first and the last step; the first step is slower and so not counted
        self.first: float | None = None
        self.last = 0.0
        self.rows = 0

    def update(self, event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            self.processes = event["world"]
        elif kind == "begin":
            self.phase = event["phase"]
        elif kind == "end" and event["phase"] == "save":
            self.phase = "train"
        elif kind == "data":
            self.planned = event["planned_steps"]
        elif kind == "step":
            self._count(event)

    def _count(self, event: Event) -> None:
        self.step, self.last = event["step"], event["time"]
        if self.first is None:
            self.first = event["time"]
        else:
            self.rows += event["rows"] * self.processes

    def text(self, cases: int) -> str:
        head = f"case {self.number} of {cases}  {self.name}"
        if not self.step:
            return f"{head}  {self.phase}"
        steps = f"step {self.step}" + (f" of {self.planned}" if self.planned and self.planned >= self.step else "")
        return "  ".join([head, steps, *(["save"] if self.phase == "save" else self._rates())])

    def _rates(self) -> list[str]:
        seconds = self.last - self.first if self.first else 0.0
        if seconds <= 0:
            return []
        rates = [f"{self.rows / seconds:,.1f} rows/s"]
        if self.planned and self.planned > self.step:
            rates.append(f"{duration_text((self.planned - self.step) * seconds / (self.step - 1))} left")
        return rates


def summary(result: Result, number: int, cases: int, log: Path | None = None) -> str:
    """A finished case as one line; one that failed with the place of its log."""
    head = f"case {number} of {cases}  {result.experiment}/{result.case}  {result.outcome}"
    if result.outcome != "ok":
        where = f" (log: {log})" if log else ""
        return f"{head} in {result.phase}: {brief(result.reason or 'no reason known')}{where}"
    seconds, rows = result.metrics.get("train_runtime"), result.metrics.get("rows_per_second")
    parts = [f"trained in {duration_text(seconds)}" if seconds else "", f"{rows:,.1f} rows/s" if rows else ""]
    return "  ".join([head, *filter(None, parts)])


class Lines:
    """Plain lines, for logs."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._views: dict[tuple[str, str], View] = {}
        self._cases = self._begun = 0
        self._printed = 0.0

    def begin(self, cases: int) -> None:
        self._cases = cases
        if not cases:
            self._print("all cases have results already")

    def started(self, case: Case) -> None:
        self._begun += 1
        view = self._views[case.experiment, case.id] = View(self._begun, case)
        self._changed(view, important=True)

    def saw(self, case: Case, rank: int, event: Event) -> None:
        if rank == 0:
            view = self._views[case.experiment, case.id]
            view.update(event)
            self._changed(view, important=event["event"] == "step" and event["step"] == 1)

    def ended(self, case: Case, result: Result, log: Path | None) -> None:
        view = self._views.pop((case.experiment, case.id))
        self._print(summary(result, view.number, self._cases, log))

    def note(self, text: str) -> None:
        self._print(text)

    def end(self) -> None:
        pass

    def _changed(self, view: View, *, important: bool) -> None:
        if important or time.monotonic() - self._printed > QUIET_SECONDS:
            self._print(view.text(self._cases))

    def _print(self, text: str) -> None:
        self._printed = time.monotonic()
        # The run continues when the reader of its output has gone.
        with suppress(OSError):
            self._stream.write(one_line(text) + "\n")
            self._stream.flush()


class Screen(Lines):
    """One line per running case, updated in place; lines of finished cases stay above."""

    def __init__(self, stream: TextIO):
        from rich.console import Console
        from rich.live import Live

        super().__init__(stream)
        self._live: Live = Live(console=Console(file=stream), auto_refresh=False, transient=True)

    def begin(self, cases: int) -> None:
        super().begin(cases)
        self._live.start()

    def end(self) -> None:
        self._live.stop()

    def _changed(self, view: View, *, important: bool) -> None:
        if important or time.monotonic() - self._printed > 0.1:
            self._printed = time.monotonic()
            self._live.update(self._text(), refresh=True)

    def _print(self, text: str) -> None:
        self._live.console.print(one_line(text), highlight=False, markup=False)

    def _text(self) -> Any:
        from rich.text import Text

        lines = [one_line(view.text(self._cases)) for view in self._views.values()]
        return Text("\n".join(lines), overflow="ellipsis")


def for_stream(stream: TextIO) -> Progress:
    """A live display on a terminal, plain lines elsewhere."""
    return Screen(stream) if stream.isatty() else Lines(stream)
