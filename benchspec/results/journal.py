"""The journal of a run, `results.jsonl`: one line per case that ended, only ever appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from benchspec.results.result import Result
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.terms.layout import JOURNAL


def append(folder: str | Path, result: Result) -> None:
    """Add a line to the journal; it is safe on disk when this returns. Raises `RunError` if it cannot be written."""
    journal = Path(folder) / JOURNAL
    line = json.dumps(result.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        with journal.open("a+b") as file:
            _mend(file)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"cannot write {journal}: {error.strerror or error}") from error


def read_journal(folder: str | Path) -> list[Result]:
    """Every line of the journal, so all attempts at every case; empty if there is no journal yet.

    A last line that a kill cut off is left out. Raises `BenchspecError` for any other line that is not a result.
    """
    journal = Path(folder) / JOURNAL
    lines = journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    if not _is_whole(lines[-1]):
        lines.pop()
    return [_parse(line, f"{journal}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _mend(file: BinaryIO) -> None:
    """Complete a last line that lacks only its newline after a crash; remove one that is cut off."""
    file.seek(0)
    whole, newline, tail = file.read().rpartition(b"\n")
    if tail and _is_whole(tail):
        file.write(b"\n")
    elif tail:
        file.truncate(len(whole) + len(newline))


def _is_whole(line: bytes) -> bool:
    """Whether a line without its newline is complete otherwise: a cut-off JSON object is never valid JSON."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parse(line: bytes, where: str) -> Result:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise BenchspecError(f"{where}: error: not JSON ({error}); remove the line to run its case again") from None
    if not isinstance(data, dict) or data.get("schema") not in (1, 2):
        raise BenchspecError(
            f"{where}: error: not a result that this benchspec knows (schema 1 or 2); did a newer one write it?"
        )
    try:
        return Result.from_json(_upgraded(data))
    except TypeError as error:
        raise BenchspecError(f"{where}: error: not a result: {str(error).removeprefix('Result.__init__() ')}") from None


def _upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A line in schema 2: what was published stood in lines of schema 1, and is in run.json now."""
    old = ("references",) if data["schema"] == 1 else ()
    return {**{key: value for key, value in data.items() if key not in old}, "schema": 2}
