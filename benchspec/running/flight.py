"""A running case, watched by the parent process: its process group and the events that its ranks write."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from benchspec.cases.case import Case
from benchspec.kinds.bases import Handle, Launcher
from benchspec.results import events
from benchspec.results.events import Event

#: seconds between a rank's failure, or the last rank's `done`, and the moment when the group is stopped
GRACE = 20.0


@dataclass
class Flight:
    """A running attempt at a case."""

    case: Case
    #: the attempt's folder
    attempt: Path
    launcher: Launcher
    handle: Handle
    #: seconds since the epoch; moved forward while it waits in a queue
    started: float
    tail: events.Tail = field(init=False)
    #: when the first rank failed, or the last one was done
    settled: float | None = None
    done: int = 0
    world: int = 0

    def __post_init__(self) -> None:
        self.tail = events.Tail(self.attempt)

    def look(self) -> list[tuple[int, Event]]:
        """The events that the ranks have written since the last call."""
        new = self.tail.new()
        for _, event in new:
            self.world = max(self.world, event.get("world", 0))
            self.done += event["event"] == "done"
            if event["event"] == "failure" or 0 < self.world == self.done:
                self.settled = self.settled or time.time()
        return new

    def stopped(self) -> Stop | None:
        """None while the case runs; otherwise how it stopped, and then every process is gone."""
        code, now = self.handle.poll(), time.time()
        if code is None and self.handle.waiting():
            self.started = now
        late = self._is_late(now)
        if code is None and not late and (self.settled is None or now - self.settled < GRACE):
            return None
        self.handle.stop()
        return Stop(timeout=self.case.limits["timeout"] if code is None and late else None)

    def _is_late(self, now: float) -> bool:
        timeout = self.case.limits["timeout"]
        return timeout is not None and now - self.started > timeout


@dataclass(frozen=True)
class Stop:
    """How a process group stopped."""

    #: the time limit that it was stopped for, in seconds; None if it ended by itself
    timeout: float | None
