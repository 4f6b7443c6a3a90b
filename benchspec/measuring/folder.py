"""The run directory of a script's own training: opened when it begins, completed when it has ended."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchspec.cases.case import Case, Launch
from benchspec.kinds.values import Facts
from benchspec.machine import checkout, describe, text
from benchspec.machine.host import host
from benchspec.measuring.training import settings_of
from benchspec.results import evidence, journal
from benchspec.results.evidence import Evidence
from benchspec.results.result import Result
from benchspec.results.run_json import read_run
from benchspec.running import attempts, when
from benchspec.running.ending import judge
from benchspec.running.record import record
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.terms.layout import CASE, CASES, RECORD, RUN, write_json

#: in case.json, in place of what a run of a spec has there: no worker reads it
INVOCATION = "own"
#: seconds to wait for the other ranks' `done`
WAIT = 30.0


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
        "libraries": {"python": found["python"], **{name: found["libraries"][name] for name in describe.COMPUTING}},
        "commits": {"benchspec": own, "working directory": checkout.commit_of_folder(Path.cwd(), [folder])},
    }


def close(folder: Path, attempt: Path, wait: float = WAIT) -> Result | None:
    """Wait for the other ranks of an attempt and record its result; None if some have not ended after so long."""
    until = time.monotonic() + wait
    while not evidence.read(attempt).finished and time.monotonic() < until and not _failed(attempt):
        time.sleep(0.1)
    return _recorded(folder, attempt)


def settle(folder: Path) -> list[Result]:
    """Record the attempts that have ended and have no result, because rank 0 was ended before it could do so."""
    known = {(*line.key, line.attempt) for line in journal.read_journal(folder)}
    found = [
        attempt
        for attempt in sorted((folder / CASES).glob("*/*/*"))
        if attempt.name.isdigit() and (*attempt.parts[-3:-1], attempt.name) not in known
    ]
    return [result for attempt in found if (result := _recorded(folder, attempt))]


def _failed(attempt: Path) -> bool:
    return any(event["event"] == "failure" for found in evidence.read(attempt).ranks.values() for event in found)


def _recorded(folder: Path, attempt: Path) -> Result | None:
    """The result of an attempt, added to the journal; None if a process of it still runs, or it cannot be read."""
    seen = evidence.read(attempt)
    if not seen.finished and not _failed(attempt) and _runs(seen):
        return None
    try:
        data = json.loads((attempt / CASE).read_bytes())
        launch = data.pop("launch")
        data.pop("invocation")
        case = Case.from_json(data)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    ending = judge(seen, {})
    mine = [line for line in journal.read_journal(folder) if line.key == case.key]
    if any(line.launch == launch and _is_later(line.attempt, attempt) for line in mine):
        # A later training has taken this launch's number, as one that has no result is measured again.
        if ending.outcome != "ok":
            return None
        launch = max(line.launch for line in mine) + 1
    facts = Facts(accelerator=None, accelerators=0)
    result = record(Launch(case, launch), attempt, seen, ending, facts, when.of_events(seen))
    journal.append(folder, result)
    return result


def _is_later(name: str, attempt: Path) -> bool:
    return name.isdigit() and int(name) > int(attempt.name)


def _runs(seen: Evidence) -> bool:
    """Whether a process that wrote events is alive; of another host, that is not known, and taken for yes."""
    starts = [event for found in seen.ranks.values() for event in found if event["event"] == "start"]
    return not starts or any(
        event.get("host") != host() or psutil.pid_exists(event["pid"]) for event in starts if "pid" in event
    )
