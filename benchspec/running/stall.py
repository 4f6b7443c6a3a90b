"""Whether a rank stands still: how long ago its phase or its step last changed, and how long that may take."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchspec.results.events import Event
from benchspec.terms.outcomes import INNER_PHASES

FIRST_STEP, STEADY = INNER_PHASES
#: within training, a rank may stand still for this many of its median steps, but at least `LEAST` seconds
STEPS = 20
LEAST = 120.0
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
    #: the seconds of its last steps, saving left out
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    #: the rank's clock when its current step began
    begun: float | None = None
    #: the watch's clock when it was last seen to move
    moved: float = 0.0
    #: it has written `done` or `failure`
    ended: bool = False

    @property
    def phase(self) -> str:
        """The innermost open phase; between phases, the one that ended last."""
        return self.open[-1] if self.open else self.closed

    def take(self, event: Event) -> None:
        """Move on by an event."""
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
            if self.begun is not None and clock is not None:
                self.seconds.append(clock - self.begun)
            self.step, self.begun = event["step"], clock
        self.ended |= kind in ("done", "failure")


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
        # Before any rank has said how many they are, there is at least one.
        self.places = {0: Place()}

    def look(self, new: Sequence[tuple[int, Event]], passed: float) -> None:
        """Take the events that were written since the last look, `passed` seconds ago."""
        self._clock += min(passed, AWAKE)
        for rank, event in new:
            for other in range(min(event["world"], MOST) if event["event"] == "start" else 0):
                self.places.setdefault(other, Place(moved=self._clock))
            place = self.places.setdefault(rank, Place())
            place.take(event)
            place.moved = self._clock

    def wait(self) -> None:
        """Let no time have passed: the case is waiting in a queue."""
        for place in self.places.values():
            place.moved = self._clock

    def stalled(self) -> Stall | None:
        """The ranks that stand still, if one has done so for longer than it may."""
        for rank, place in self.places.items():
            seconds = self._clock - place.moved
            limit, step_time = self._limit(place) if seconds > self._shortest() else (None, None)
            if limit is not None and seconds > limit and not place.ended:
                return Stall(rank, seconds, step_time, self.places)
        return None

    def _shortest(self) -> float:
        """The shortest limit of any place; until then there is nothing to work out."""
        return self._least if self._stall is None else min(self._least, self._stall)

    def _limit(self, place: Place) -> tuple[float | None, float | None]:
        """How many seconds a rank may stand still, and its median step if that is the reason."""
        if place.open[-1:] == [STEADY] and place.seconds:
            step_time = median(place.seconds)
            return max(STEPS * step_time, self._least), step_time
        return self._stall, None
