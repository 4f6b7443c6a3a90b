"""The answer to a request for tokens: the names of its files in the cache, and what these hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchspec.terms.layout import write_json
from benchspec.worker.data.arrays import writing


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The files in the cache that hold the tokens of a request, and what is in them."""

    #: the folder of the arrays
    arrays: str
    #: the file of the order; None: each row once
    order: str | None
    #: a hash of the content of both: the same tokens in the same order
    fingerprint: str
    #: what the data set says that its rows depend on; None if it does not say
    identity: str | None
    #: rows, words and tokens; a row that is drawn twice counts twice
    rows: int
    words: int
    tokens: int
    #: rows whose prompt leaves no token of the answer within the maximum length
    without_answer: int


def read(pointer: Path, invocation: str | None = None) -> Prepared | None:
    """The content of a pointer; None if there is none of this invocation, or if it cannot be read."""
    try:
        data = json.loads(pointer.read_bytes())
        return Prepared(**data["prepared"]) if data["invocation"] == invocation else None
    except (OSError, ValueError, LookupError, TypeError):
        # Its content can be worked out again: it was cut off, or written by another version.
        return None


def write(pointer: Path, prepared: Prepared, invocation: str | None = None) -> None:
    """Write a pointer: of one invocation of a run, or of none."""
    content: Mapping[str, Any] = {"invocation": invocation, "prepared": asdict(prepared)}
    with writing(pointer.parent):
        pointer.parent.mkdir(parents=True, exist_ok=True)
        write_json(pointer, content)
