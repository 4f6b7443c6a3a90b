"""Which rank of a stalled case holds up the others, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

from benchspec.running.stall import Stall
from benchspec.terms.units import duration_text

#: seconds without a pulse, which is written every second, after which Python itself stands still
NO_PULSE = 10.0
#: the shares of a core that a rank uses at least while it computes, and at most while it waits
COMPUTES, WAITS = 0.5, 0.1
#: in the path of a frame's file: here a rank waits for the others
COLLECTIVE = "/torch/distributed/"
#: here it does so on a CPU, where a backward pass waits for what it sends; with an accelerator it only queues that
BACKWARD = "/torch/autograd/"


class Frame(NamedTuple):
    """A call on a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.function} ({PurePath(self.file).name}:{self.line})"


@dataclass(frozen=True)
class Seen:
    """What was seen of a rank's process when its case stalled; everything is None or empty where it cannot be seen."""

    #: `gone`, `stopped`, `kernel` (in a system call that no signal ends) or `runs`
    state: str | None = None
    #: seconds since its last pulse
    pulse_age: float | None = None
    #: the share of a core that it has used since its phase and step last changed
    cpu: float | None = None
    #: the calls of its main thread, the innermost first
    stack: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class Hang:
    """What is recorded of a case that was ended because it stood still."""

    #: None if nothing tells which rank it was
    rank: int | None
    phase: str
    reason: str


def hang(stall: Stall, seen: Mapping[int, Seen]) -> Hang:
    """The rank that holds up the others, its phase and the reason; `seen` has every rank of the group."""
    rank, words = culprit(stall, seen)
    place = stall.places[stall.rank if rank is None else rank]
    return Hang(rank, place.phase, "; ".join([_standstill(stall), *([f"rank {rank} {words}"] if words else [])]))


def culprit(stall: Stall, seen: Mapping[int, Seen]) -> tuple[int | None, str]:
    """The rank that holds up the others and what is the matter with it; (None, "") if nothing tells."""
    for matter, words in _MATTERS:
        for rank, each in seen.items():
            if matter(each):
                return rank, words + _where(each)
    accelerated = any(place.accelerated for place in stall.places.values())
    signs = (
        _furthest_behind(stall),
        _odd_stack(seen),
        _outside(seen, accelerated),
        # One that waits for an accelerator uses a whole core for that.
        None if accelerated else _only_one_computing(seen),
    )
    behind = next((rank for rank in signs if rank is not None), None)
    if behind is None:
        return None, ""
    return behind, ("stands still" if len(seen) == 1 else "is behind") + _where(seen[behind])


#: what tells at once that it is this rank: the test, and its words
_MATTERS: tuple[tuple[Callable[[Seen], bool], str], ...] = (
    (lambda each: each.state == "gone", "has gone"),
    (lambda each: each.state == "stopped", "was stopped by a signal"),
    (lambda each: each.state == "kernel", "waits in the kernel; is a driver or a file system hung?"),
    (
        lambda each: each.pulse_age is not None and each.pulse_age > NO_PULSE,
        "holds Python's lock in a call that does not return",
    ),
)


def _standstill(stall: Stall) -> str:
    place, lasted = stall.places[stall.rank], duration_text(stall.seconds)
    if stall.step_time is None:
        return f"no progress in {place.phase} for {lasted} (limits.stall)"
    return f"no step after step {place.step} for {lasted}, where one takes {duration_text(stall.step_time)}"


def _where(each: Seen) -> str:
    return f", in {each.stack[0]}" if each.stack else ""


def _only(ranks: list[int]) -> int | None:
    return ranks[0] if len(ranks) == 1 else None


def _furthest_behind(stall: Stall) -> int | None:
    """The rank that has written fewest events, if there is only one such."""
    events = {rank: place.events for rank, place in stall.places.items()}
    return _only([rank for rank, count in events.items() if count == min(events.values())])


def _odd_stack(seen: Mapping[int, Seen]) -> int | None:
    """Of three ranks or more: the only one that is elsewhere than all the others, which are in one place."""
    stacks = [each.stack for each in seen.values()]
    odd = [rank for rank, each in seen.items() if stacks.count(each.stack) == 1]
    return _only(odd) if len(seen) > 2 and len(set(stacks)) == 2 else None


def _outside(seen: Mapping[int, Seen], accelerated: bool) -> int | None:
    """The only rank that does not wait for others, if every stack is known."""
    if not all(each.stack for each in seen.values()):
        return None
    waiting = (COLLECTIVE,) if accelerated else (COLLECTIVE, BACKWARD)
    return _only([rank for rank, each in seen.items() if not _is_in(each, waiting)])


def _is_in(each: Seen, places: tuple[str, ...]) -> bool:
    return any(place in frame.file for frame in each.stack for place in places)


def _only_one_computing(seen: Mapping[int, Seen]) -> int | None:
    """The only rank that computes while all others wait."""
    busy = [rank for rank, each in seen.items() if each.cpu is not None and each.cpu > COMPUTES]
    quiet = [rank for rank, each in seen.items() if each.cpu is not None and each.cpu < WAITS]
    return _only(busy) if len(busy) + len(quiet) == len(seen) else None
