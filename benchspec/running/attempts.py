"""The folders of a case's attempts in a run directory: `cases/<experiment>/<case-id>/<attempt>`."""

from __future__ import annotations

from pathlib import Path

from benchspec.cases.case import Case
from benchspec.terms.layout import CASE, attempts_folder, write_json


def last(run_folder: Path, case: Case) -> Path | None:
    """The folder of the latest attempt at a case."""
    found = [path for path in attempts_folder(run_folder, *case.key).glob("*") if path.name.isdigit()]
    return max(found, key=lambda path: int(path.name), default=None)


def new(run_folder: Path, case: Case, invocation: str) -> Path:
    """Create the folder of another attempt, with the `case.json` that its ranks read."""
    before = last(run_folder, case)
    attempt = attempts_folder(run_folder, *case.key) / str(int(before.name) + 1 if before else 1)
    attempt.mkdir(parents=True)
    write_json(attempt / CASE, {**case.to_json(), "invocation": invocation})
    return attempt
