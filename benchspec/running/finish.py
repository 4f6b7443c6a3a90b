"""A process group that has ended -> its line of the journal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchspec.cases.case import Case
from benchspec.kinds.bases import Launcher
from benchspec.machine import kernel_kills
from benchspec.results import evidence, journal
from benchspec.results.evidence import Evidence
from benchspec.running.ending import Ending, judge
from benchspec.running.execution import Run
from benchspec.running.flight import Flight, Stop
from benchspec.running.record import record
from benchspec.terms import layout
from benchspec.terms.errors import BenchspecError


def launcher_failed(run: Run, case: Case, error: Exception) -> Ending:
    """The ending of a case whose launcher raised an exception."""
    name = case.launcher["name"]
    origin = run.spec.registry.find("launcher", name).origin
    reason = f"the launcher '{name}' of {origin} failed: {type(error).__name__}: {error}"
    return Ending("crash", "start", reason=reason, mistake=isinstance(error, BenchspecError))


def collect(run: Run, flight: Flight) -> bool:
    """Whether a case has ended; if so, its result has been added to the journal."""
    for rank, event in flight.look():
        run.progress.saw(flight.case, rank, event)
    failed: Ending | None = None
    stop: Stop | None = None
    try:
        stop = flight.stopped()
        if stop is None:
            return False
    except Exception as error:
        failed = launcher_failed(run, flight.case, error)
        with suppress(Exception):
            flight.handle.stop()
    seen = evidence.read(flight.attempt)
    ending = failed or judge_group(run, flight.case, flight.launcher, flight.attempt, seen, stop)
    finish(run, flight.case, flight.attempt, seen, ending, flight.started, _finished(seen, ending))
    return True


def judge_group(
    run: Run, case: Case, launcher: Launcher, attempt: Path, seen: Evidence, stop: Stop | None = None
) -> Ending:
    """How a process group ended; it must have no process left."""
    try:
        deaths = {} if seen.finished else _deaths(launcher, attempt)
    except Exception as error:
        return launcher_failed(run, case, error)
    timeout, hang = (stop.timeout, stop.hang) if stop else (None, None)
    return judge(seen, deaths, timeout=timeout, hang=hang, kernel_killed=_kernel_killed(attempt))


def _deaths(launcher: Launcher, attempt: Path) -> Mapping[int, int]:
    found = launcher.deaths(attempt)
    if not isinstance(found, Mapping) or not all(isinstance(number, int) for pair in found.items() for number in pair):
        raise TypeError(f"deaths() returned {found!r}, not a mapping of ranks to exit codes")
    return found


def _kernel_killed(attempt: Path) -> bool:
    """Whether the kernel's count of out-of-memory kills has grown since the attempt started, when a file stored it."""
    file, now = attempt / layout.KERNEL_KILLS, kernel_kills()
    before = file.read_bytes() if file.exists() else b""
    return now is not None and before.isdigit() and now > int(before)


def _finished(seen: Evidence, ending: Ending) -> float:
    """When a case ended: if it is ok, at its last event, because afterwards its processes only shut down."""
    return seen.times[1] if ending.outcome == "ok" and seen.times else time.time()


def finish(
    run: Run, case: Case, attempt: Path, seen: Evidence, ending: Ending, started: float, finished: float
) -> None:
    """Record how an attempt ended."""
    try:
        result = record(case, attempt, seen, ending, run.spec.facts, started, finished)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # One case's evidence costs that case alone.
        reason = f"the ranks' events cannot be used: {type(error).__name__}: {error}"
        ending = Ending("crash", ending.phase or "train", reason=reason, log=ending.log)
        result = record(case, attempt, Evidence({}), ending, run.spec.facts, started, finished)
    journal.append(run.folder, result)
    if ending.mistake and ending.outcome not in case.expected:
        run.mistakes.append(f"{case.experiment}/{case.id}: {ending.reason}")
    log = layout.attempt_folder(run.shown, case.experiment, case.id) / attempt.name / layout.STDERR
    run.progress.ended(case, result, log if log.is_file() else None)
    for warning in result.warnings:
        run.progress.note(f"{case.experiment}/{case.id}: warning: {warning}")
