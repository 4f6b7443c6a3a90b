"""Where the time of a case's profiled steps went, as its rank 0 saw it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from benchspec.terms import layout, strict


class Operation(NamedTuple):
    """An operation, or a kernel of an accelerator."""

    name: str
    calls: int
    #: without those that it called
    seconds: float


class Profile(NamedTuple):
    """The profiled steps of a rank."""

    #: for how long they were looked at
    seconds: float
    #: those that took the most time first
    operations: list[Operation]


def read(run: Path, experiment: str, case: str) -> Profile | None:
    """The profile of a case; None if it has none, or one that was cut off."""
    file = layout.attempts_folder(run, experiment, case) / layout.PROFILE / layout.profile_file(0)
    if not file.is_file():
        return None
    try:
        found = strict.parse(file.read_bytes())
        return Profile(_number(found["seconds"]), [_operation(each) for each in found["operations"]])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _operation(found: Any) -> Operation:
    return Operation(str(found["name"]), int(_number(found["calls"])), _number(found["seconds"]))


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e15:
        raise ValueError(f"{value!r} is no number of calls or seconds")
    return float(value)
