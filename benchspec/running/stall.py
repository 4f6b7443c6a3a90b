"""Whether a rank stands still: how long ago its phase or its step last changed, and how long that may take."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchspec.results.events import Event
from benchspec.terms.outcomes import FIRST_STEP, STEADY

#: within training, a rank may stand still for this many of its median steps, but at least `LEAST` seconds
STEPS = 20
LEAST = 120.0
#: and at least for this many of its longest step, up to `limits.stall`: what was compiled in the first one may be
#: compiled again, for rows of another length
LONGEST = 2
#: how many of its last steps a rank's median is taken of
REMEMBERED = 100
#: more ranks than this are no group, but a broken event
MOST = 1 << 16
#: seconds between two looks at the ranks that count at most: this process may itself have stood still, ranks and all
AWAKE = 5.0


@dataclass
class Place:
    """Where a rank is."""

    #: phases that have begun and not ended, the innermost last
    open: list[str] = field(default_factory=list)
    #: the phase that ended last
    closed: str = "start"
    step: int = 0
    #: how many events it has written
    events: int = 0
    #: the seconds of its last steps, without saving and without steps in which it may have waited for one that saved
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    #: the seconds of the longest of all its steps
    longest: float = 0.0
    #: the rank's clock when its current step began
    begun: float | None = None
    #: the watch's clock when it was last seen to move
    moved: float = 0.0
    #: it has written `done` or `failure`
    ended: bool = False
    #: it computes on an accelerator
    accelerated: bool = False

    @property
    def phase(self) -> str:
        """The innermost open phase; between phases, the one that ended last."""
        return self.open[-1] if self.open else self.closed

    @property
    def steady(self) -> bool:
        """Whether it trains, after its first step."""
        return self.open[-1:] == [STEADY]

    def take(self, event: Event, waited: bool) -> None:
        """Move on by an event; `waited`: since the last one, another rank was not training."""
        kind, clock = event["event"], _clock(event)
        self.events += 1
        if kind == "begin":
            self.open.append(event["phase"])
            self.begun = clock if event["phase"] == FIRST_STEP else self.begun
        elif kind == "end":
            self.closed = event["phase"]
            if self.closed in self.open:
                self.open.remove(self.closed)
            self.begun = clock if event["phase"] == "save" else self.begun
        elif kind == "step":
            if self.begun is not None and clock is not None and not (waited and self.steady):
                self.seconds.append(clock - self.begun)
                self.longest = max(self.longest, self.seconds[-1])
            self.step, self.begun = event["step"], clock
        self.ended |= kind in ("done", "failure")
        self.accelerated |= kind == "device"


def _clock(event: Event) -> float | None:
    clock = event.get("clock", event.get("time"))
    return float(clock) if isinstance(clock, int | float) else None


@dataclass(frozen=True)
class Stall:
    """Ranks that stand still."""

    #: the first of them that stood still for longer than it may
    rank: int
    #: for how many seconds
    seconds: float
    #: the seconds of its median step, where that sets the limit; None: `limits.stall` does
    step_time: float | None
    #: every rank of the group
    places: dict[int, Place]


class Watch:
    """Watches the ranks of a case through their events.

    `stall` is `limits.stall`, in seconds, for all that is not training after the first step; None: no limit. `least` is
    the shortest time for which a rank that trains may stand still.
    """

    def __init__(self, stall: float | None, least: float = LEAST):
        self._stall = stall
        self._least = least
        #: seconds for which this process has watched
        self._clock = 0.0
        #: when a rank was last elsewhere than in the steady part of training: the others may wait for it
        self._apart = 0.0
        # Before any rank has said how many they are, there is at least one.
        self.places = {0: Place()}

    def look(self, new: Sequence[tuple[int, Event]], passed: float) -> None:
        """Take the events that were written since the last look, `passed` seconds ago."""
        self._clock += min(passed, AWAKE)
        if not all(place.steady or place.ended for place in self.places.values()):
            self._apart = self._clock
        for rank, event in new:
            for other in range(min(event["world"], MOST) if event["event"] == "start" else 0):
                self.places.setdefault(other, Place(moved=self._clock))
            place = self.places.setdefault(rank, Place())
            place.take(event, waited=self._apart > place.moved)
            place.moved = self._clock
            if event["event"] == "progress":
                self._wait_with(place)

    def _wait_with(self, busy: Place) -> None:
        """Let no time have passed for the ranks that wait for the rows that one of them makes."""
        for place in self.places.values():
            if place.phase == busy.phase:
                place.moved = self._clock

    def wait(self) -> None:
        """Let no time have passed: the case is waiting in a queue."""
        for place in self.places.values():
            place.moved = self._clock

    def stalled(self) -> Stall | None:
        """The ranks that stand still, if one has done so for longer than it may."""
        for rank, place in self.places.items():
            limit, step_time = (None, None) if place.ended else self._limit(place)
            seconds = self._clock - (place.moved if step_time is None else max(place.moved, self._apart))
            if limit is not None and seconds > limit:
                return Stall(rank, seconds, step_time, self.places)
        return None

    def _limit(self, place: Place) -> tuple[float | None, float | None]:
        """How many seconds a rank may stand still, and its median step if that is the reason."""
        if not place.steady or not place.seconds or self._apart == self._clock:
            return self._stall, None
        step_time = median(place.seconds)
        again = min(LONGEST * place.longest, math.inf if self._stall is None else self._stall)
        return max(STEPS * step_time, self._least, again), step_time
