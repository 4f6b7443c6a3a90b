"""The folders of a case's attempts in a run directory: `cases/<experiment>/<case-id>/<attempt>`."""

from __future__ import annotations

import time
from pathlib import Path

from benchspec.cases.case import Case
from benchspec.results import events
from benchspec.running.runfile import write_json


def last(run_folder: Path, case: Case) -> Path | None:
    """The latest attempt at a case."""
    found = [path for path in _folder(run_folder, case).glob("*") if path.name.isdigit()]
    return max(found, key=lambda path: int(path.name), default=None)


def new(run_folder: Path, case: Case, invocation: str) -> Path:
    """The folder of another attempt, with all that its ranks must know."""
    before = last(run_folder, case)
    attempt = _folder(run_folder, case) / str(int(before.name) + 1 if before else 1)
    attempt.mkdir(parents=True)
    write_json(attempt / "case.json", {**case.to_json(), "invocation": invocation})
    return attempt


def run_dir(attempt: Path) -> Path:
    """The run directory that an attempt's folder is in."""
    return attempt.parents[3]


def times(attempt: Path) -> tuple[float, float]:
    """When an attempt's first and last events were."""
    found = [event["time"] for ranks in events.read_ranks(attempt).values() for event in ranks]
    return (min(found), max(found)) if found else (time.time(), time.time())


def _folder(run_folder: Path, case: Case) -> Path:
    return run_folder / "cases" / case.experiment / case.id
