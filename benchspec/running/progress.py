"""The progress of a run, on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from benchspec.cases.case import Launch
from benchspec.results.events import Event
from benchspec.results.result import Result
from benchspec.running.view import View, run_left, summary, times_text
from benchspec.terms.harmless import one_line

if TYPE_CHECKING:
    from rich.text import Text

#: seconds between plain lines of one case
QUIET_SECONDS = 10.0


class Progress(Protocol):
    """Receives what happens in a run: the interface of progress displays.

    A run has `cases`, of which `done` have all their results already, and `launches` left to start. `log` is what the
    case wrote to stderr; None if there is no file. `note` is for a line that is of no running case.
    """

    def begin(self, cases: int, done: int, launches: int) -> None: ...

    def started(self, launch: Launch) -> None: ...

    def saw(self, launch: Launch, rank: int, event: Event) -> None: ...

    def ended(self, launch: Launch, result: Result, log: Path | None) -> None: ...

    def note(self, text: str) -> None: ...

    def end(self) -> None: ...


class Quiet:
    """Shows nothing."""

    def begin(self, cases: int, done: int, launches: int) -> None:
        pass

    def started(self, launch: Launch) -> None:
        pass

    def saw(self, launch: Launch, rank: int, event: Event) -> None:
        pass

    def ended(self, launch: Launch, result: Result, log: Path | None) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def end(self) -> None:
        pass


class Lines:
    """Plain lines, for logs."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._views: dict[tuple[str, str, int], View] = {}
        #: the cases of the run, and those of them that had all their results before it
        self._cases = self._done = 0
        #: the number of each case that was started, in the order in which they were
        self._numbers: dict[tuple[str, str], int] = {}
        #: launches that have not been started
        self._waiting = 0
        self._start = time.monotonic()
        #: the seconds that each launch took that has ended
        self._ended: list[float] = []
        self._printed = 0.0

    def begin(self, cases: int, done: int, launches: int) -> None:
        self._cases, self._done, self._waiting, self._start = cases, done, launches, time.monotonic()
        if cases == done:
            self._print("all cases have results already")

    def started(self, launch: Launch) -> None:
        self._waiting -= 1
        number = self._numbers.setdefault(launch.case.key, self._done + len(self._numbers) + 1)
        view = self._views[launch.key] = View(number, launch)
        self._changed(view, important=True)

    def saw(self, launch: Launch, rank: int, event: Event) -> None:
        view = self._views[launch.key]
        view.update(rank, event)
        if rank == 0:
            self._changed(view, important=event["event"] == "step" and event["step"] == 1)

    def ended(self, launch: Launch, result: Result, log: Path | None) -> None:
        view = self._views.pop(launch.key)
        self._ended.append(time.monotonic() - view.begun)
        self._print(summary(launch, result, view.number, self._cases, log))

    def note(self, text: str) -> None:
        self._print(text)

    def end(self) -> None:
        pass

    def _changed(self, view: View, *, important: bool) -> None:
        quiet = time.monotonic() - self._printed
        if (important or quiet > QUIET_SECONDS) and view.said != view.place():
            view.said = view.place()
            self._print(self._line(view))

    def _line(self, view: View) -> str:
        """A running case, and where it is not all that runs, also the run's time."""
        line = view.text(self._cases)
        if self._cases == 1 and not self._ended and not self._waiting:
            return line
        left = run_left(list(self._views.values()), self._ended, self._waiting)
        return "  ".join([line, *(f"run {text}" for text in times_text(time.monotonic() - self._start, left))])

    def _print(self, text: str) -> None:
        self._printed = time.monotonic()
        # The run continues when the reader of its output has gone.
        with suppress(OSError):
            self._stream.write(one_line(text) + "\n")
            self._stream.flush()


class Screen(Lines):
    """One line per running case, updated in place as time passes; lines of finished cases stay above."""

    def __init__(self, stream: TextIO):
        from rich.console import Console
        from rich.live import Live

        super().__init__(stream)
        console = Console(file=stream)
        self._live = Live(console=console, get_renderable=self._text, refresh_per_second=10, transient=True)

    def begin(self, cases: int, done: int, launches: int) -> None:
        super().begin(cases, done, launches)
        self._live.start()

    def end(self) -> None:
        self._live.stop()

    def _changed(self, view: View, *, important: bool) -> None:
        # The live display asks by itself.
        pass

    def _print(self, text: str) -> None:
        self._live.console.print(one_line(text), highlight=False, markup=False)

    def _text(self) -> Text:
        from rich.text import Text

        # A copy: the live display asks in a thread of its own.
        lines = [one_line(self._line(view)) for view in list(self._views.values())]
        return Text("\n".join(lines), overflow="ellipsis")


def for_stream(stream: TextIO) -> Progress:
    """A live display on a terminal, plain lines elsewhere."""
    return Screen(stream) if stream.isatty() else Lines(stream)
