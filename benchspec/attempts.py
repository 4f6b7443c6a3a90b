"""The folders of a case's attempts in a run directory: `cases/<experiment>/<case-id>/<attempt>`."""

from __future__ import annotations

import time
from pathlib import Path

from benchspec import events
from benchspec.plan import Case
from benchspec.runfile import write_json


def last(run_dir: Path, case: Case) -> Path | None:
    """The latest attempt at a case."""
    found = [path for path in _folder(run_dir, case).glob("*") if path.name.isdigit()]
    return max(found, key=lambda path: int(path.name), default=None)


def new(run_dir: Path, case: Case, invocation: str) -> Path:
    """The folder of another attempt, with all that its ranks must know."""
    before = last(run_dir, case)
    attempt = _folder(run_dir, case) / str(int(before.name) + 1 if before else 1)
    attempt.mkdir(parents=True)
    write_json(attempt / "case.json", {**case.to_json(), "invocation": invocation})
    return attempt


def times(attempt: Path) -> tuple[float, float]:
    """When an attempt's first and last events were."""
    found = [event["time"] for ranks in events.read_ranks(attempt).values() for event in ranks]
    return (min(found), max(found)) if found else (time.time(), time.time())


def _folder(run_dir: Path, case: Case) -> Path:
    return run_dir / "cases" / case.experiment / case.id
