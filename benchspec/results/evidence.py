"""The evidence of an attempt at a case: events and stderr from its folder, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchspec.results import events
from benchspec.results.events import Event
from benchspec.terms import layout

#: bytes of stderr that are read, from its end
STDERR_BYTES = 1 << 20


@dataclass(frozen=True)
class Evidence:
    """The events and the stderr of an attempt."""

    #: rank -> its events
    ranks: Mapping[int, Sequence[Event]]
    #: the last part of the group's stderr
    stderr: str = ""
    #: event files whose last line was cut off
    cut_off: Sequence[str] = ()

    @property
    def finished(self) -> bool:
        """Whether every rank of the group has written `done`."""
        done = sum(any(event["event"] == "done" for event in found) for found in self.ranks.values())
        return done == events.world_size(self.ranks) > 0

    @property
    def times(self) -> tuple[float, float] | None:
        """The times of the first and the last event; None if there are no events."""
        found = [event["time"] for ranks in self.ranks.values() for event in ranks if "time" in event]
        return (min(found), max(found)) if found else None

    def of(self, rank: int) -> Sequence[Event]:
        """A rank's events; empty if it wrote none."""
        return self.ranks.get(rank, ())


def read(attempt: Path) -> Evidence:
    """The evidence in an attempt's folder."""
    ranks: dict[int, list[Event]] = {}
    cut_off: list[str] = []
    for rank, file in layout.rank_files(attempt).items():
        lines, _, rest = file.read_bytes().rpartition(b"\n")
        ranks[rank] = events.parsed(lines)
        if rest or not lines:
            cut_off.append(file.name)
    return Evidence(ranks, _last_part(attempt / layout.STDERR), cut_off)


def open_phase(found: Sequence[Event]) -> str:
    """The innermost phase that a rank has begun and not ended; the last one that it ended where none is open."""
    phases, last = ["start"], "start"
    for event in found:
        if event["event"] == "begin":
            phases.append(event["phase"])
        elif event["event"] == "end" and event["phase"] in phases:
            phases.remove(event["phase"])
            last = event["phase"]
    return phases[-1] if phases[1:] or last == "start" else last


def furthest_behind(ranks: Mapping[int, Sequence[Event]]) -> tuple[int | None, str]:
    """The rank with the fewest events, and its phase; the rank is None if several have the fewest."""
    far = {rank: len(ranks.get(rank, [])) for rank in range(events.world_size(ranks))}
    last = [rank for rank, count in far.items() if count == min(far.values())]
    return (last[0] if len(last) == 1 else None), open_phase(ranks.get(last[0], []) if last else [])


def _last_part(file: Path) -> str:
    """The end of a text file, in whole lines; empty if there is no file."""
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - STDERR_BYTES))
        text = stream.read().decode(errors="replace")
    return text if size <= STDERR_BYTES else text.partition("\n")[2]
