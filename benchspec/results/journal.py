"""The journal of a run, `results.jsonl`: an append-only file with one line per attempt that ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from benchspec.results.result import Result
from benchspec.terms import schemas, strict
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.terms.layout import JOURNAL

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def append(folder: str | Path, result: Result) -> None:
    """Append a result and fsync it. Raises `RunError` if it cannot be written."""
    journal = Path(folder) / JOURNAL
    line = json.dumps(result.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        with journal.open("a+b") as file:
            _repair_last_line(file)
            # Lone surrogates, which UTF-8 cannot encode, become the escapes that JSON has for them.
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"cannot write {journal}: {error.strerror or error}") from error


def read_journal(folder: str | Path) -> list[Result]:
    """Every line of the journal, including earlier attempts at a case; empty if there is no journal yet.

    A last line cut off by a kill is left out. Raises `BenchspecError`, with its number, for any other line that does
    not follow `result.schema.json`.
    """
    journal = Path(folder) / JOURNAL
    if journal.exists() and not journal.is_file():
        # A named pipe would be waited for.
        raise BenchspecError(f"{journal}: error: it is not a file")
    lines = journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    if not _is_whole(lines[-1]):
        lines.pop()
    found = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    check = schemas.validator(schemas.load("result")) if found else None
    return [_parse(line, f"{journal}:{number}", check) for number, line in found]


def _repair_last_line(file: BinaryIO) -> None:
    """After a crash, add the newline that a last line lacks, or remove a last line that was cut off."""
    end = file.seek(0, os.SEEK_END)
    begin, tail = _last_line(file, end)
    if tail and _is_whole(tail):
        file.write(b"\n")
    elif tail:
        file.truncate(begin)


def _last_line(file: BinaryIO, end: int) -> tuple[int, bytes]:
    """Where the last line begins and what is in it, read from the end; it is empty after a newline."""
    tail = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        before, newline, rest = file.read(end - begin).rpartition(b"\n")
        tail = rest + tail
        if newline:
            return begin + len(before) + 1, tail
        end = begin
    return 0, tail


#: bytes that are read at a time, from the end
_BLOCK = 1 << 16


def _is_whole(line: bytes) -> bool:
    """Whether a line without a newline is complete; it is if it is JSON, since a cut-off object is not."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parse(line: bytes, where: str, check: Draft202012Validator | None) -> Result:
    remedy = "remove the line to run its case again"
    try:
        data = strict.parse(line)
    except ValueError as error:
        raise BenchspecError(f"{where}: error: not JSON ({error}); {remedy}") from None
    if not isinstance(data, dict) or data.get("schema") not in (1, 2, 3):
        raise BenchspecError(
            f"{where}: error: not a result in schema 1, 2 or 3; was it written by a newer version of benchspec?"
        )
    upgraded = _upgraded(data)
    if check and (problem := schemas.violation(check, upgraded)):
        raise BenchspecError(f"{where}: error: not a result ({problem}); {remedy}")
    for metric, (low, high) in upgraded["intervals"].items():
        if low > high:
            raise BenchspecError(f"{where}: error: not a result (intervals.{metric} ends before it begins); {remedy}")
    return Result.from_json(upgraded)


def _upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A line converted to schema 3, without the published values of schema 1, which are in run.json now."""
    old = ("references",) if data["schema"] == 1 else ()
    newer: dict[str, Any] = {"record": {}, "warnings": [], "answers": []}
    return newer | {key: value for key, value in data.items() if key not in old} | {"schema": 3}
