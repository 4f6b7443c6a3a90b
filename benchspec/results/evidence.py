"""The evidence of an attempt at a case: events and stderr from its folder, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchspec.results import events, lines
from benchspec.results.lines import Event
from benchspec.results.steps import Step, combined
from benchspec.terms import layout

#: bytes of stderr that are read, from its end
STDERR_BYTES = 1 << 20
#: how many of its last lines a result keeps
LOG_LINES = 20


@dataclass(frozen=True)
class Evidence:
    """The events and the stderr of an attempt."""

    #: rank -> its events
    ranks: Mapping[int, Sequence[Event]]
    #: the last part of the group's stderr
    stderr: str = ""
    #: event files whose last line was cut off
    cut_off: Sequence[str] = ()
    #: what was passed over because it is no event, in words
    passed_over: Sequence[str] = ()
    #: why no metrics can be computed from the events: the file, the line, the field; None if they can
    unusable: str | None = None

    @property
    def finished(self) -> bool:
        """Whether every rank of the group has written `done`."""
        done = sum(any(event["event"] == "done" for event in found) for found in self.ranks.values())
        return done == events.world_size(self.ranks) > 0

    @cached_property
    def steps(self) -> Sequence[Step]:
        """The optimizer steps of all ranks together."""
        return combined(self.ranks)

    @property
    def times(self) -> tuple[float, float] | None:
        """The times of the first and the last event; None if there are no events."""
        found = [event["time"] for ranks in self.ranks.values() for event in ranks]
        return (min(found), max(found)) if found else None

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of stderr, as many as a result keeps."""
        return tuple(self.stderr.splitlines()[-LOG_LINES:])

    def of(self, rank: int) -> Sequence[Event]:
        """A rank's events; empty if it wrote none."""
        return self.ranks.get(rank, ())


def read(attempt: Path) -> Evidence:
    """The evidence in an attempt's folder."""
    files = {rank: _read_file(file) for rank, file in layout.rank_files(attempt).items()}
    return Evidence(
        ranks={rank: file.events for rank, file in files.items()},
        stderr=_last_part(attempt / layout.STDERR),
        cut_off=[file.name for file in files.values() if file.cut_off],
        passed_over=[
            *(f"{name} is no rank's file and was passed over" for name in layout.no_rank_files(attempt)),
            *(file.passed_over for file in files.values() if file.passed_over),
        ],
        unusable=next((file.unusable for file in files.values() if file.unusable), None),
    )


@dataclass
class _RankFile:
    """What is in one rank's file."""

    name: str
    events: list[Event] = field(default_factory=list)
    cut_off: bool = False
    #: the numbers of the lines that are no events
    others: list[int] = field(default_factory=list)
    unusable: str | None = None

    @property
    def passed_over(self) -> str | None:
        count = len(self.others)
        lines = "1 line is no event and was" if count == 1 else f"{count} lines are no events and were"
        return f"{self.name}: {lines} passed over (the first: line {self.others[0]})" if count else None


def _read_file(file: Path) -> _RankFile:
    found = _RankFile(file.name)
    try:
        # A named pipe would be waited for.
        text = file.read_bytes() if file.is_file() else None
    except OSError as error:
        found.unusable = f"{file.name} cannot be read: {error.strerror or error}"
        return found
    if text is None:
        found.unusable = f"{file.name} cannot be read: it is not a file"
        return found
    whole, _, rest = text.rpartition(b"\n")
    found.cut_off = bool(rest) or not whole
    for number, line in enumerate(whole.split(b"\n"), start=1):
        _read_line(found, number, line)
    return found


def _read_line(found: _RankFile, number: int, line: bytes) -> None:
    event = lines.parse(line)
    if event is None:
        if line.strip():
            found.others.append(number)
    elif problem := lines.problem(event):
        found.unusable = found.unusable or f"{found.name}:{number}: {problem}"
    else:
        found.events.append(event)


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
    world = events.world_size(ranks)
    silent = world - sum(1 for rank in ranks if rank < world)
    if silent > 0:
        return (next(rank for rank in range(world) if rank not in ranks) if silent == 1 else None), open_phase([])
    fewest = min((len(found) for rank, found in ranks.items() if rank < world), default=0)
    last = [rank for rank, found in ranks.items() if rank < world and len(found) == fewest]
    return (last[0] if len(last) == 1 else None), open_phase(ranks[last[0]] if last else [])


def _last_part(file: Path) -> str:
    """The end of a text file, in whole lines where it has any; empty if there is no file or it cannot be read."""
    if not file.is_file():
        return ""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - STDERR_BYTES))
            text = stream.read(STDERR_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return text if size <= STDERR_BYTES else text.partition("\n")[2] or text
