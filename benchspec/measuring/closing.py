"""A script's own training -> its result, once its ranks have ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchspec.cases.case import Launch, Told, read_case
from benchspec.kinds.checks import is_count
from benchspec.kinds.values import Facts
from benchspec.machine.host import host
from benchspec.results import evidence, journal
from benchspec.results.evidence import Evidence
from benchspec.results.result import Result
from benchspec.running import when
from benchspec.running.ending import judge
from benchspec.running.record import record
from benchspec.terms.layout import CASES

#: seconds to wait for the other ranks' `done`
WAIT = 30.0


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
        told = read_case(attempt)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not _is_usable(told):
        return None
    ending, launch = judge(seen, {}), told.launch
    mine = [line for line in journal.read_journal(folder) if line.key == told.case.key]
    if any(line.launch == launch and _is_later(line.attempt, attempt) for line in mine):
        # A later training has taken this launch's number, as one that has no result is measured again.
        if ending.outcome != "ok":
            return None
        launch = max(line.launch for line in mine) + 1
    facts = Facts(accelerator=None, accelerators=0)
    result = record(Launch(told.case, launch), attempt, seen, ending, facts, when.of_events(seen))
    journal.append(folder, result)
    return result


def _is_usable(told: Told) -> bool:
    """Whether a case.json that may be damaged can become a line of the journal."""
    case = told.case
    mappings = (case.axes, case.said, case.model, case.dataset, case.train, case.measure, case.backend, case.launcher)
    return is_count(told.launch) and isinstance(case.experiment, str) and all(isinstance(m, Mapping) for m in mappings)


def _is_later(name: str, attempt: Path) -> bool:
    return name.isdigit() and int(name) > int(attempt.name)


def _runs(seen: Evidence) -> bool:
    """Whether a process that wrote events is alive; of another host, that is not known, and taken for yes."""
    starts = [event for found in seen.ranks.values() for event in found if event["event"] == "start"]
    return not starts or any(
        event.get("host") != host() or psutil.pid_exists(event["pid"]) for event in starts if "pid" in event
    )
