"""The journal of a run, `results.jsonl`: an append-only file with one line per attempt that ended."""

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
    """Append a result and fsync it. Raises `RunError` if it cannot be written."""
    journal = Path(folder) / JOURNAL
    line = json.dumps(result.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        with journal.open("a+b") as file:
            _repair_last_line(file)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"cannot write {journal}: {error.strerror or error}") from error


def read_journal(folder: str | Path) -> list[Result]:
    """Every line of the journal, including earlier attempts at a case; empty if there is no journal yet.

    A last line cut off by a kill is left out. Raises `BenchspecError` for any other line that is not a result.
    """
    journal = Path(folder) / JOURNAL
    lines = journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    if not _is_whole(lines[-1]):
        lines.pop()
    return [_parse(line, f"{journal}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _repair_last_line(file: BinaryIO) -> None:
    """After a crash, add the newline that a last line lacks, or remove a last line that was cut off."""
    file.seek(0)
    whole, newline, tail = file.read().rpartition(b"\n")
    if tail and _is_whole(tail):
        file.write(b"\n")
    elif tail:
        file.truncate(len(whole) + len(newline))


def _is_whole(line: bytes) -> bool:
    """Whether a line without a newline is complete; it is if it is JSON, since a cut-off object is not."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parse(line: bytes, where: str) -> Result:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise BenchspecError(f"{where}: error: not JSON ({error}); remove the line to run its case again") from None
    if not isinstance(data, dict) or data.get("schema") not in (1, 2, 3):
        raise BenchspecError(
            f"{where}: error: not a result in schema 1, 2 or 3; was it written by a newer version of benchspec?"
        )
    try:
        return Result.from_json(_upgraded(data))
    except TypeError as error:
        raise BenchspecError(f"{where}: error: not a result: {str(error).removeprefix('Result.__init__() ')}") from None


def _upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A line converted to schema 3, without the published values of schema 1, which are in run.json now."""
    old = ("references",) if data["schema"] == 1 else ()
    return {**{key: value for key, value in data.items() if key not in old}, "schema": 3}
