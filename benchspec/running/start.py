"""A case -> a running process group, or the result of an attempt that an earlier benchspec could not record."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from benchspec.cases.case import Launch
from benchspec.kinds.bases import Handle, Launcher
from benchspec.kinds.faults import wrong
from benchspec.machine import kernel_kills, others
from benchspec.results import evidence
from benchspec.running import attempts, when
from benchspec.running.ending import Ending
from benchspec.running.execution import Run
from benchspec.running.finish import discard_checkpoint, finish, judge_group, launcher_failed
from benchspec.running.flight import Flight
from benchspec.terms.errors import RunError
from benchspec.terms.layout import HANDLE, HARDWARE, KERNEL_KILLS, RECORD, write_json, write_whole
from benchspec.terms.outcomes import FINAL


def start_next(run: Run, launch: Launch, launcher: Launcher) -> list[Flight]:
    """Start a launch, or resume the attempt of an earlier benchspec that was killed before it recorded a result."""
    run.progress.started(launch)
    case, left = launch.case, attempts.last(run.folder, launch)
    if left is None or (*case.key, left.name) in run.recorded:
        return _start(run, launch, launcher)
    handle, seen = _still_running(launcher, left), evidence.read(left)
    ran = when.of_events(seen)
    if handle:
        begun = when.begun(seen)
        return [Flight(launch, left, launcher, handle, ran.started, begun=begun, least_stall=run.least_stall)]
    ending = judge_group(run, case, launcher, left, seen)
    if ending.outcome not in FINAL:
        discard_checkpoint(case, left)
        return _start(run, launch, launcher)
    finish(run, launch, left, seen, ending, ran)
    return []


def skip(run: Run, launch: Launch, reason: str) -> None:
    """Record that a launch was not started."""
    run.progress.started(launch)
    attempt = attempts.new(run.folder, launch, run.invocation)
    write_json(attempt / RECORD, run.dependencies.of(launch.case))
    now = when.until_now(time.time(), time.monotonic())
    finish(run, launch, attempt, evidence.read(attempt), Ending("skipped", "start", reason=reason), now)


def _start(run: Run, launch: Launch, launcher: Launcher) -> list[Flight]:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise RunError("the working directory no longer exists; run the same command in another to resume") from None
    case, attempt = launch.case, attempts.new(run.folder, launch, run.invocation)
    # Kept with the attempt, because a later benchspec may have to record its result.
    found = others.others(run.folder)
    kept = {**run.dependencies.of(case), **({"others": found} if found else {})}
    write_json(attempt / RECORD, kept)
    if found:
        run.warn(case, others.sentence(found))
    if (count := kernel_kills()) is not None:
        write_whole(attempt / KERNEL_KILLS, str(count).encode())
    started, begun = time.time(), time.monotonic()
    if launcher.elsewhere:
        write_json(attempt / HARDWARE, run.spec.hardware_options)
    try:
        handle = _started(launcher, attempt)
    except Exception as error:
        ending = launcher_failed(run, case, error)
        finish(run, launch, attempt, evidence.read(attempt), ending, when.until_now(started, begun))
        return []
    prepared = float(getattr(handle, "prepared", 0.0))
    started, begun = started + prepared, begun + prepared
    if remark := getattr(handle, "remark", None):
        write_json(attempt / RECORD, {**kept, "remark": str(remark)})
        run.warn(case, str(remark))
    try:
        write_whole(attempt / HANDLE, os.fsencode(f"{attempt}\0{handle.id}"))
    except BaseException:
        handle.stop()
        raise
    return [Flight(launch, attempt, launcher, handle, started, begun=begun, least_stall=run.least_stall)]


def _started(launcher: Launcher, attempt: Path) -> Handle:
    """The handle of a new process group, one that can be written down."""
    handle = launcher.start(attempt)
    if not isinstance(getattr(handle, "id", None), str):
        with suppress(Exception):
            # Its processes must not run beside the next case.
            handle.stop()
        raise wrong(launcher.start, handle, "a Handle with an id that is a string")
    return handle


def _still_running(launcher: Launcher, attempt: Path) -> Handle | None:
    """The handle of a process group that an earlier benchspec started and that is still running; None otherwise."""
    file = attempt / HANDLE
    if not file.is_file():
        return None
    try:
        home, _, id = os.fsdecode(file.read_bytes()).partition("\0")
        # In a copy of a run directory, the group may be one that another benchspec is running.
        if not id or not os.path.samefile(home, attempt):  # noqa: PTH121
            return None
        handle = launcher.attach(id)
        if handle.poll() is None:
            return handle
        handle.stop()
    except Exception:
        # No handle, or one that was cut off or that the launcher cannot read: nothing can be followed.
        return None
    return None
