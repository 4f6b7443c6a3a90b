"""The folders of a case's attempts in a run directory: `cases/<experiment>/<case-id>/<attempt>`."""

from __future__ import annotations

import json
from pathlib import Path

from benchspec.cases.case import Case, Launch, Told, write_case
from benchspec.terms.layout import CASE, attempts_folder


def last(run_folder: Path, launch: Launch) -> Path | None:
    """The folder of the latest attempt at a launch."""
    found = [path for path in _all(run_folder, launch.case) if _launch(path) == launch.number]
    return max(found, key=_number, default=None)


def new(run_folder: Path, launch: Launch, invocation: str) -> Path:
    """Create the folder of another attempt, with the `case.json` that its ranks read."""
    number = max(map(_number, _all(run_folder, launch.case)), default=0) + 1
    attempt = attempts_folder(run_folder, *launch.case.key) / str(number)
    attempt.mkdir(parents=True)
    write_case(attempt, Told(launch.case, invocation, launch.number))
    return attempt


def _all(run_folder: Path, case: Case) -> list[Path]:
    return [path for path in attempts_folder(run_folder, *case.key).glob("*") if path.name.isdecimal()]


def _number(attempt: Path) -> int:
    return int(attempt.name)


def _launch(attempt: Path) -> int | None:
    """Which launch an attempt is of; 1 where an earlier version started it, None where nothing says it."""
    file = attempt / CASE
    if not file.is_file():
        # A named pipe would be waited for.
        return None
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found.get("launch", 1) if isinstance(found, dict) else None
