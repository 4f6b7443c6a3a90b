"""The events of a case: each rank appends lines to its `rank-<n>.jsonl`, and the parent process reads them.

Every line is a JSON object with `event` (its kind), `time` (seconds since the epoch), `clock` (seconds of the host's
monotonic clock) and the fields that `schemas/event.schema.json` gives for the kind. The last event of a rank that
finished is `done`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.results.lines import Event as Event, whole
from benchspec.terms.layout import rank_file, rank_files


class EventLog:
    """Appends the events of one rank; once `add` has returned, the line survives a kill of the process."""

    def __init__(self, folder: Path, rank: int):
        self._file = (folder / rank_file(rank)).open("ab", buffering=0)

    def add(self, event: str, /, *, at: float | None = None, **fields: Any) -> None:
        """Write an event of now, or of an earlier moment, `at`, of the monotonic clock."""
        clock = time.monotonic()
        now = {"time": time.time() - (0.0 if at is None else clock - at), "clock": clock if at is None else at}
        line = json.dumps({"event": event, **now, **fields}, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")


def read(file: Path) -> list[Event]:
    """The events of one rank; a last line cut off by a kill or a full disk is left out."""
    return whole(file.read_bytes().rpartition(b"\n")[0])


def world_size(ranks: Mapping[int, Sequence[Event]]) -> int:
    """The number of ranks of a group, including those without a file; 0 if no rank has reported it."""
    starts = [event for found in ranks.values() for event in found if event["event"] == "start"]
    return max((event["world"] for event in starts), default=0)


class Tail:
    """Reads what the ranks of a running case have appended since the last read."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._read: dict[Path, int] = {}

    def new(self) -> list[tuple[int, Event]]:
        """(rank, event) pairs, each rank's in order."""
        return [(rank, event) for rank, file in rank_files(self._folder).items() for event in self._lines(file)]

    def _lines(self, file: Path) -> list[Event]:
        if not file.is_file():
            return []
        with file.open("rb") as stream:
            stream.seek(self._read.get(file, 0))
            lines, newline, _cut = stream.read().rpartition(b"\n")
        self._read[file] = self._read.get(file, 0) + len(lines) + len(newline)
        return whole(lines)
