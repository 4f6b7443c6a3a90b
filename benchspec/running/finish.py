"""A process group that has ended -> its line of the journal."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchspec.cases.case import Case, Launch
from benchspec.kinds.bases import Launcher
from benchspec.kinds.faults import explained, returned, wrong
from benchspec.kinds.values import End
from benchspec.machine import kernel_kills, text
from benchspec.results import evidence, journal
from benchspec.results.evidence import Evidence
from benchspec.results.plausible import contradiction
from benchspec.running import there, when
from benchspec.running.ending import Ending, judge
from benchspec.running.execution import Run
from benchspec.running.flight import Flight, Stop
from benchspec.running.record import record, warnings_of_ranks
from benchspec.running.when import When
from benchspec.terms import layout
from benchspec.terms.errors import BenchspecError
from benchspec.terms.outcomes import OUTCOMES


def launcher_failed(run: Run, case: Case, error: Exception) -> Ending:
    """The ending of a case whose launcher raised an exception."""
    name = case.launcher["name"]
    entry = run.spec.registry.find("launcher", name)
    said = explained(error, run.spec.registry.packages, entry.cls)
    reason = f"the launcher '{name}' of {entry.origin} failed: {said}"
    return Ending("crash", "start", reason=reason, mistake=isinstance(error, BenchspecError))


def collect(run: Run, flight: Flight) -> bool:
    """Whether a case has ended; if so, its result has been added to the journal."""
    for rank, event in flight.look():
        run.progress.saw(flight.launch, rank, event)
        for warning in warnings_of_ranks({rank: [event]}) if rank == 0 else ():
            run.warn(flight.case, warning)
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
    # Before the evidence is read, which is no part of the case.
    ran = when.until_now(flight.started, flight.begun)
    seen = evidence.read(flight.attempt)
    ending = failed or judge_group(run, flight.case, flight.launcher, flight.attempt, seen, stop)
    if ending.outcome == "ok":
        ran = when.until_last_event(ran, flight.begun, seen)
    finish(run, flight.launch, flight.attempt, seen, ending, ran)
    return True


def judge_group(
    run: Run, case: Case, launcher: Launcher, attempt: Path, seen: Evidence, stop: Stop | None = None
) -> Ending:
    """How a process group ended; it must have no process left."""
    try:
        deaths = {} if seen.finished else _deaths(launcher, attempt)
        end = None if seen.finished else _end(launcher, attempt)
    except Exception as error:
        return launcher_failed(run, case, error)
    timeout, hang = (stop.timeout, stop.hang) if stop else (None, None)
    return judge(seen, deaths, timeout=timeout, hang=hang, kernel_killed=_kernel_killed(attempt), end=end)


def _deaths(launcher: Launcher, attempt: Path) -> Mapping[int, int]:
    found = launcher.deaths(attempt)
    if not isinstance(found, Mapping) or not all(type(number) is int for pair in found.items() for number in pair):
        raise wrong(launcher.deaths, found, "a mapping of ranks to exit codes")
    return found


def _end(launcher: Launcher, attempt: Path) -> End | None:
    end = returned(launcher.end, launcher.end(attempt), (End, type(None)), "an End or None")
    if end and (end.outcome not in OUTCOMES or end.outcome == "ok"):
        raise wrong(launcher.end, end, f"an End with one of the outcomes {', '.join(OUTCOMES[1:])}")
    return end


def _kernel_killed(attempt: Path) -> bool:
    """Whether the kernel's count of out-of-memory kills has grown since the attempt started, when a file stored it."""
    file, now = attempt / layout.KERNEL_KILLS, kernel_kills()
    before = file.read_bytes() if file.is_file() else b""
    return now is not None and before.isdigit() and now > int(before)


def _unless_contradicted(case: Case, seen: Evidence, ending: Ending) -> Ending:
    """The ending, or a crash if it is ok and the steps that the recipe has reported cannot be."""
    if ending.outcome != "ok":
        return ending
    reason = contradiction(seen.ranks, seen.steps, case.train, case.recipe["name"])
    return Ending("crash", "train", reason=reason, log=seen.log) if reason else ending


def discard_checkpoint(case: Case, attempt: Path) -> None:
    """Remove what an attempt has saved for its query alone, however that ended."""
    if case.query is not None and not (case.train["save"] or {}).get("final"):
        shutil.rmtree(attempt / layout.CHECKPOINT, ignore_errors=True)


def finish(run: Run, launch: Launch, attempt: Path, seen: Evidence, ending: Ending, ran: When) -> None:
    """Record how an attempt ended."""
    case, other = launch.case, there.read(attempt)
    run.there = other or run.there
    facts = other.facts if other else run.spec.facts
    try:
        ending = _unless_contradicted(case, seen, ending)
        result = record(launch, attempt, seen, ending, facts, ran)
    except Exception as error:
        # Whatever stands in a case's evidence, it costs that case alone.
        unusable = f"{type(error).__name__}: {error}"
        ending = Ending("crash", ending.phase or "train", reason=f"the events cannot be used: {unusable}")
        seen = replace(seen, unusable=unusable)
        result = record(launch, attempt, seen, ending, facts, ran)
    if other:
        result = replace(result, record={**result.record, "machine": text.parts(other.machine)})
    journal.append(run.folder, result)
    discard_checkpoint(case, attempt)
    if ending.mistake and ending.outcome not in case.expected:
        run.mistakes[case.key] = f"{case.full_name}: {ending.reason}"
    log = layout.attempts_folder(run.shown, *case.key) / attempt.name / layout.STDERR
    run.progress.ended(launch, result, log if log.is_file() else None)
    for warning in result.warnings:
        run.warn(case, warning)
