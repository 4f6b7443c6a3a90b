"""A few more steps of cases that were measured, under torch's profiler: no result, and no part of one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

from benchspec.cases.case import Case, Launch, Told, write_case
from benchspec.results import evidence
from benchspec.running.execution import Run, launcher_of
from benchspec.running.finish import judge_group, launcher_failed
from benchspec.running.flight import INTERVAL, Flight, Stop
from benchspec.terms.layout import HARDWARE, NEW_PROFILE, PROFILE, attempts_folder, write_json
from benchspec.terms.profiles import FIRST, STEPS


def profile(run: Run, cases: Sequence[Case]) -> None:
    """Profile cases one after the other; what fails is told, and costs that profile alone."""
    for number, case in enumerate(cases, start=1):
        run.progress.note(f"profile {number} of {len(cases)}  {case.full_name}")
        if failed := _profile(run, case):
            run.progress.note(f"{case.full_name}: warning: there is no profile: {failed}")


def _profile(run: Run, measured: Case) -> str | None:
    """Why there is no profile of a case; None if there is."""
    case = short(measured)
    kept = attempts_folder(run.folder, *measured.key) / PROFILE
    # An earlier profile is there until another has succeeded.
    folder = kept.with_name(NEW_PROFILE)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    launcher, launch = launcher_of(run.spec, case), Launch(case, 1)
    write_case(folder, Told(case, run.invocation, launch.number, profiled=True))
    if launcher.elsewhere:
        write_json(folder / HARDWARE, run.spec.hardware_options)
    try:
        handle = launcher.start(folder)
    except Exception as error:
        return launcher_failed(run, case, error).reason
    flight = Flight(launch, folder, launcher, handle, time.time(), least_stall=run.least_stall)
    try:
        while (stop := _look(flight)) is None:
            time.sleep(INTERVAL)
    finally:
        handle.stop()
    ending = judge_group(run, case, launcher, folder, evidence.read(folder), stop)
    if ending.outcome != "ok":
        return f"{ending.outcome} in {ending.phase}: {ending.reason}"
    shutil.rmtree(kept, ignore_errors=True)
    folder.rename(kept)
    return None


def _look(flight: Flight) -> Stop | None:
    flight.look()
    return flight.stopped()


def short(case: Case) -> Case:
    """A case of as few steps as a profile takes, which saves, asks and measures nothing."""
    train = {**case.train, "max_steps": FIRST - 1 + STEPS, "save": None}
    return replace(case, train=train, measure={**case.measure, "mode": "full", "ceilings": False}, query=None)
