"""Reads rows from JSON in Alpaca's format; every error is one line that names the file and the place."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchspec import BenchspecError, Row
from benchspec.terms.harmless import clipped

#: bytes up to which a file is hashed
LARGE = 1 << 28
#: part of every identity: increase it when the same file gives other rows
READER = 1
_FORMAT = "expected a JSON array or JSON Lines of objects with instruction, input and output"


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON or JSON Lines file."""
    text = _text(path)
    if not text.strip():
        raise BenchspecError(f"{path}: the file is empty; {_FORMAT}")
    values = _array(path, text) if text.lstrip().startswith("[") else _lines(path, text)
    return checked(path, values)


def identity_of(path: Path) -> str | None:
    """A text that changes with the content of a file; None if it cannot be read, which `read_rows` will report.

    It is a hash, but of a file beyond `LARGE` the size and the time of the last change: it is asked for whenever a run
    starts, and ten gigabytes take ten seconds to hash.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > LARGE:
            return f"{found.st_size} bytes, changed at {found.st_mtime_ns}, read as {READER}"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError:
        return None
    digest.update(str(READER).encode())
    return f"sha256 {digest.hexdigest()[:16]}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BenchspecError(f"{path}: cannot be read: {error.strerror}; {_FORMAT}") from error
    except UnicodeDecodeError as error:
        raise BenchspecError(f"{path}: not UTF-8 text (at byte {error.start}); {_FORMAT}") from error


def _array(path: Path, text: str) -> Iterable[tuple[str, Any]]:
    """Each value of a JSON array, with its place as text."""
    return ((f"row {number}", value) for number, value in enumerate(_parse(path, text), 1))


def _lines(path: Path, text: str) -> Iterable[tuple[str, Any]]:
    """Each value of JSON Lines, with its place as text; raises for a JSON document over several lines."""
    # Not splitlines(): JSON strings may contain line separators such as U+2028 unescaped.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) > 1 and path.suffix != ".jsonl" and not _is_json(lines[0][1]):
        raise BenchspecError(f"{path}: contains {_kind(_parse(path, text))} instead of a list of rows; {_FORMAT}")
    return ((f"row {row} (line {number})", _parse(path, line, number)) for row, (number, line) in enumerate(lines, 1))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(path: Path, text: str, line: int = 1) -> Any:
    """The value of JSON text that begins at a line of the file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{line + error.lineno - 1}:{error.colno}"
        raise BenchspecError(f"{where}: invalid JSON: {error.msg}; {_FORMAT}") from error
    # Nested too deeply, or an integer with thousands of digits.
    except (RecursionError, ValueError) as error:
        raise BenchspecError(f"{path}: JSON from line {line} on cannot be read: {error}; {_FORMAT}") from error


def checked(source: Path | str, values: Iterable[tuple[str, Any]]) -> list[Row]:
    """The rows from parsed values; each value comes with its place as text."""
    rows = [_row(f"{source}: {where}", value) for where, value in values]
    if not rows:
        raise BenchspecError(f"{source}: contains no rows; {_FORMAT}")
    return rows


def _row(where: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise BenchspecError(f"{where}: {_kind(value)} instead of an object with instruction, input and output")
    return Row(*(_field(where, value, key) for key in Row._fields))


def _field(where: str, value: dict[str, Any], key: str) -> str:
    if key not in value and (key != "input" or _misspelt(value, key)):
        raise BenchspecError(f"{where}: no key '{key}' (found: {_key_list(value)}); rename a key or add it")
    text = value.get(key)
    if text is None and key == "input":
        return ""
    if not isinstance(text, str):
        raise BenchspecError(f"{where}: '{key}' is {_kind(text)}; it must be a string")
    if not _encodable(text):
        raise BenchspecError(f"{where}: '{key}' contains a lone surrogate (\\ud800 to \\udfff), which is not text")
    return text


def _encodable(text: str) -> bool:
    """Whether a tokenizer can take the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _misspelt(value: dict[str, Any], key: str) -> bool:
    """Whether the optional key is there in another spelling, such as 'Input' or 'inputs'."""
    return any(other.strip().lower() in (key, f"{key}s") for other in value)


def _key_list(value: dict[str, Any], most: int = 8) -> str:
    keys = ", ".join(repr(clipped(key, 40)) for key in list(value)[:most]) or "none"
    return f"{keys} and {len(value) - most} more" if len(value) > most else keys


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return names[type(value)]
