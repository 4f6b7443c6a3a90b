"""The run directory of a script's own training, as it is when the training begins."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case, Launch
from benchspec.machine import checkout, describe, text
from benchspec.measuring.training import settings_of
from benchspec.results import journal
from benchspec.results.run_json import read_run
from benchspec.running import attempts
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.terms.layout import RECORD, RUN, write_json

#: in case.json, in place of what a run of a spec has there: no worker reads it
INVOCATION = "own"


def check(folder: Path) -> None:
    """Raise `BenchspecError` if a training cannot be recorded in a folder; it is made if it does not exist."""
    if folder == Path():
        raise BenchspecError("the folder to measure in is empty; give one, such as runs/mine")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make {folder}: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK):
        raise RunError(f"cannot write {folder}: Permission denied")
    if (folder / RUN).exists() and not is_own(folder):
        raise BenchspecError(f"{folder} is the run directory of a spec; give another folder to measure a script in")


def is_own(folder: Path) -> bool:
    """Whether a run directory is that of a script's own training."""
    return (folder / RUN).exists() and "spec" not in read_run(folder)


def opened(folder: Path, case: Case, name: str, processes: int) -> Path:
    """The folder of a new attempt at the next launch of a case, with what its result will depend on."""
    lines = journal.read_journal(folder)
    done = {line.launch for line in lines if line.key == case.key and line.final}
    launch = next(number for number in range(1, len(done) + 2) if number not in done)
    found = describe.quickly()
    _write_run(folder, case, name, found)
    attempt = attempts.new(folder, Launch(case, launch), INVOCATION)
    write_json(attempt / RECORD, _depends_on(found, processes, folder))
    return attempt


def _write_run(folder: Path, case: Case, name: str, found: Mapping[str, Any]) -> None:
    earlier = read_run(folder) if (folder / RUN).exists() else {}
    cases = [*earlier.get("cases", []), *([] if list(case.key) in earlier.get("cases", []) else [list(case.key)])]
    settings = {**earlier.get("settings", {}), case.full_name: settings_of(case)}
    write_json(
        folder / RUN,
        {
            "schema": 1,
            "name": name,
            "command": sys.argv,
            "hardware": None,
            # What only torch knows would take two seconds to ask for, before training.
            "machine": found,
            "machine_line": text.line(found),
            "started": earlier.get("started") or time.time(),
            "experiments": {case.experiment: {"title": "Training"}},
            "statements": [],
            "settings": settings,
            "shared": _alike([*settings.values()]),
            "cases": cases,
        },
    )


def _alike(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Those that say something and are the same in all cases: name -> value."""
    return {
        path.rpartition(".")[2] if path.startswith("train.") else path: value
        for path, value in settings[0].items()
        if value is not None and value is not False and all(found.get(path) == value for found in settings)
    }


def _depends_on(found: Mapping[str, Any], processes: int, folder: Path) -> dict[str, Any]:
    own = checkout.with_code(found["commit"], [Path(describe.__file__).parents[1]])
    return {
        "processes": processes,
        "machine": text.parts(found),
        "libraries": describe.computing(found),
        "commits": {"benchspec": own, "working directory": checkout.commit_of_folder(Path.cwd(), [folder])},
    }
