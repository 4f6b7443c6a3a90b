"""The clocks of all hosts as one, and what lasted how long on it.

An event has the `time` of day, which may be set forward and back, and the `clock` of its host, which never goes back
but counts from another moment on each host. Durations come from `clock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from benchspec.results.events import Event

#: when something began and ended, in seconds
Span = tuple[float, float]


def offsets(ranks: Mapping[int, Sequence[Event]]) -> dict[int, float]:
    """For each rank, the seconds to add to its clock: the time of day when its host's first rank started.

    It is taken once for each host. Afterwards no event of a rank is earlier than the one before, whatever happens to
    the time of day. A rank that does not name its host is on one of its own.
    """
    firsts = {rank: next((event for event in found if "clock" in event), None) for rank, found in ranks.items()}
    hosts: dict[object, list[Event]] = {}
    for rank, first in firsts.items():
        if first:
            hosts.setdefault(first.get("host", rank), []).append(first)
    known = {host: _offset(started) for host, started in hosts.items()}
    return {rank: known[first.get("host", rank)] if first else 0.0 for rank, first in firsts.items()}


def _offset(started: Iterable[Event]) -> float:
    first = min(started, key=lambda event: event["clock"])
    return float(first["time"] - first["clock"])


def moment(event: Event, offset: float) -> float:
    """When an event happened, in seconds; by the time of day if its rank wrote no clock."""
    return float(event["clock"] + offset if "clock" in event else event["time"])


def spans(events: Iterable[Event], phase: str, offset: float) -> list[Span] | None:
    """When a rank was in a phase; None if it is there still, or never left it properly."""
    begins, ends = (
        [moment(event, offset) for event in events if event["event"] == kind and event["phase"] == phase]
        for kind in ("begin", "end")
    )
    return list(zip(begins, ends, strict=True)) if len(begins) == len(ends) else None


def overall(ranks: Iterable[Sequence[Span]]) -> list[Span]:
    """The first span of all ranks, the second, ...: each from when the last rank begins until the last rank ends.

    The last rank to begin counts because earlier ones wait for it: under FSDP, all wait for the one that builds the
    model.
    """
    together = ([span for span in each if span] for each in zip_longest(*ranks))
    return [(max(begin for begin, _ in each), max(end for _, end in each)) for each in together]
