"""A running case, watched by the parent process: its process group and the events that its ranks write."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from benchspec.cases.case import Case, Launch
from benchspec.kinds.bases import Handle, Launcher
from benchspec.results import events
from benchspec.results.events import Event
from benchspec.running import culprit, stall
from benchspec.running.culprit import Hang
from benchspec.running.processes import Processes

#: seconds between a rank's failure or sudden end, or the last rank's `done`, and the moment when the group is stopped
GRACE = 20.0
#: seconds between two looks at what runs
INTERVAL = 0.2


@dataclass
class Flight:
    """A running attempt at a case."""

    launch: Launch
    #: the attempt's folder
    attempt: Path
    launcher: Launcher
    handle: Handle
    #: seconds since the epoch; moved forward while it waits in a queue
    started: float
    #: the same moment by the monotonic clock, by which limits are judged
    begun: float = field(default_factory=lambda: time.monotonic())
    #: seconds for which a rank that trains may stand still at least
    least_stall: float = stall.LEAST
    tail: events.Tail = field(init=False)
    watch: stall.Watch = field(init=False)
    processes: Processes = field(init=False)
    #: when it was last looked at
    looked: float = field(init=False)
    #: when the first rank failed or went, or the last one was done
    settled: float | None = None
    done: int = 0
    world: int = 0

    @property
    def case(self) -> Case:
        return self.launch.case

    def __post_init__(self) -> None:
        self.tail = events.Tail(self.attempt)
        self.watch = stall.Watch(self.case.limits["stall"], self.least_stall)
        self.processes = Processes(self.attempt)
        self.looked = time.monotonic()

    def look(self) -> list[tuple[int, Event]]:
        """The events that the ranks have written since the last call."""
        gone, now = self.processes.gone(), time.monotonic()
        # Read after the look at the processes: what has gone has written its last event.
        new = self.tail.new()
        self.watch.look(new, now - self.looked)
        self.looked = now
        for rank, event in new:
            if event["event"] == "start":
                self.world = max(self.world, event["world"])
                self.processes.take(rank, event)
            self.done += event["event"] == "done"
            if event["event"] == "failure" or 0 < self.world == self.done:
                self._settle(now)
        if any(not self.watch.places[rank].ended for rank in gone):
            self._settle(now)
        return new

    def _settle(self, now: float) -> None:
        self.settled = now if self.settled is None else self.settled

    def stopped(self) -> Stop | None:
        """None while the case runs; otherwise how it stopped, and then every process is gone."""
        code, now = self.handle.poll(), time.monotonic()
        if code is not None:
            return self._stop(now)
        if self.handle.waiting():
            self.started, self.begun = time.time(), now
            self.watch.wait()
            return None
        timeout = self.case.limits["timeout"]
        if timeout is not None and now - self.begun > timeout:
            return self._stop(now, timeout=timeout)
        if self.settled is not None:
            return self._stop(now) if now - self.settled >= GRACE else None
        if found := self.watch.stalled():
            return self._stop(now, hang=culprit.hang(found, self.processes.observe(found.places)))
        return None

    def _stop(self, now: float, timeout: float | None = None, hang: Hang | None = None) -> Stop:
        self.handle.stop()
        self.processes.forget(self.watch.places)
        return Stop(now - self.begun, timeout, hang)


@dataclass(frozen=True)
class Stop:
    """How a process group stopped."""

    #: for how many seconds it ran
    seconds: float
    #: the time limit that it was stopped for, in seconds; None if it ended by itself
    timeout: float | None = None
    #: that it was stopped because it stood still
    hang: Hang | None = None
