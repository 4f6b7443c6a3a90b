"""Cases -> results: start each case that has no result yet, watch it, and record how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchspec.cases.case import Case
from benchspec.cases.expand import Expansion, expand
from benchspec.kinds.bases import Handle, Launcher
from benchspec.machine import kernel_kills
from benchspec.results import evidence, journal
from benchspec.results.evidence import Evidence
from benchspec.results.results import Results, read_run
from benchspec.running import attempts, rundir, runfile
from benchspec.running.agenda import selected, unfinished
from benchspec.running.ending import Ending, judge
from benchspec.running.flight import Flight
from benchspec.running.record import record
from benchspec.spec.spec import Spec
from benchspec.terms.errors import BenchspecError, RunError, SpecError
from benchspec.terms.layout import HANDLE, KERNEL_KILLS, RUN, write_whole
from benchspec.terms.outcomes import FINAL

if TYPE_CHECKING:
    from benchspec.running.progress import Progress

#: seconds between checks of the running cases
INTERVAL = 0.2


@dataclass
class Run:
    """One execution of a spec in its run directory."""

    spec: Spec
    folder: Path
    progress: Progress
    #: identifies this execution, so that each one reads its data once
    invocation: str
    #: (experiment, case, attempt) of every line in the journal when the run started
    recorded: set[tuple[str, str, str]]
    #: `EXPERIMENT/CASE: reason` of each case that failed because of a user's mistake
    mistakes: list[str] = field(default_factory=list)


def run(
    spec: Spec,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress | None = None,
    expansion: Expansion | None = None,
) -> Results:
    """Run the cases that have no result yet in the run directory, and return all of its results.

    `out` is the run directory, by default runs/NAME; `only` selects cases; `fresh` moves an earlier run aside;
    `expansion` is the spec's, if the caller already has it. Raises `SpecError`, `NothingSelected` or `RunError` before
    anything is started. A failure within a case becomes that case's outcome.
    """
    from benchspec.running.progress import Quiet

    every = _ready(expansion or expand(spec))
    cases = selected(every, only)
    _check_libraries()
    folder = Path(out) if out else Path("runs") / spec.name
    with rundir.write_errors(folder):
        if fresh and folder.exists():
            with rundir.locked(folder):
                rundir.move_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with rundir.locked(folder):
            return _run_in(folder, spec, every, cases, progress or Quiet())


def _run_in(folder: Path, spec: Spec, every: Sequence[Case], cases: Sequence[Case], progress: Progress) -> Results:
    """Run cases in a run directory that is locked for this process."""
    earlier = read_run(folder) if (folder / RUN).exists() else None
    lines = journal.read_journal(folder)
    rundir.check_other_spec(folder, earlier, lines, spec, every)
    recorded = {(line.experiment, line.case, line.attempt) for line in lines}
    current = Run(spec, folder.absolute(), progress, f"{os.getpid()}-{time.time_ns()}", recorded)
    pending = unfinished(cases, lines)
    machine = runfile.machine_of(earlier) if earlier and not pending else runfile.machine_here(spec, earlier, lines)
    runfile.write(folder, spec, every, machine)
    _run_cases(current, pending)
    found = Results.load(folder)
    found.mistakes = current.mistakes
    return found


def _ready(expansion: Expansion) -> list[Case]:
    """The cases; raises `SpecError` if there are mistakes or missing data files."""
    if problems := expansion.problems or list(dict.fromkeys(expansion.missing)):
        raise SpecError(problems)
    return expansion.cases


def _check_libraries() -> None:
    absent = [name for name in ("torch", "transformers", "accelerate") if find_spec(name) is None]
    if absent:
        raise RunError(f"{', '.join(absent)} not installed: pip install 'benchspec[train]', then run again")


def _run_cases(run: Run, cases: Sequence[Case]) -> None:
    """Run the cases, as many at a time as their launchers allow; even after an error, no process is left."""
    waiting = list(cases)
    running: list[Flight] = []
    run.progress.begin(len(waiting))
    try:
        while waiting or running:
            while waiting and len(running) < max(1, _launcher(run.spec, waiting[0]).parallel):
                running += _start_next(run, waiting.pop(0))
            running = [flight for flight in running if not _collect(run, flight)]
            time.sleep(INTERVAL if running else 0)
    finally:
        _stop_all(running)
        run.progress.end()


def _stop_all(running: Sequence[Flight]) -> None:
    """Stop every process group, even if stopping one of them fails."""
    with ExitStack() as stops:
        for flight in running:
            stops.callback(flight.handle.stop)


def _launcher(spec: Spec, case: Case) -> Launcher:
    return cast(Launcher, spec.registry.create("launcher", case.launcher))


def _start_next(run: Run, case: Case) -> list[Flight]:
    """Start a case, or resume the attempt of an earlier benchspec that was killed before it recorded a result."""
    run.progress.started(case)
    left = attempts.last(run.folder, case)
    if left is None or (case.experiment, case.id, left.name) in run.recorded:
        return _start(run, case)
    launcher, seen = _launcher(run.spec, case), evidence.read(left)
    started, finished = seen.times or (time.time(), time.time())
    if handle := _still_running(launcher, left):
        return [Flight(case, left, launcher, handle, started)]
    ending = _judge(run, case, launcher, left, seen)
    if ending.outcome not in FINAL:
        return _start(run, case)
    _finish(run, case, left, seen, ending, started, finished)
    return []


def _start(run: Run, case: Case) -> list[Flight]:
    attempt = attempts.new(run.folder, case, run.invocation)
    if (count := kernel_kills()) is not None:
        write_whole(attempt / KERNEL_KILLS, str(count).encode())
    launcher, started = _launcher(run.spec, case), time.time()
    try:
        handle = _started(launcher.start(attempt))
    except Exception as error:
        ending = _launcher_failed(run, case, error)
        _finish(run, case, attempt, evidence.read(attempt), ending, started, time.time())
        return []
    try:
        write_whole(attempt / HANDLE, os.fsencode(handle.id))
    except BaseException:
        handle.stop()
        raise
    return [Flight(case, attempt, launcher, handle, started)]


def _started(handle: Handle) -> Handle:
    """The handle, if it is one that can be written down."""
    if not isinstance(getattr(handle, "id", None), str):
        raise TypeError(f"start() returned {handle!r}, not a Handle with an id that is a string")
    return handle


def _still_running(launcher: Launcher, attempt: Path) -> Handle | None:
    """The handle of a process group that an earlier benchspec started and that is still running; None otherwise."""
    file = attempt / HANDLE
    try:
        handle = launcher.attach(os.fsdecode(file.read_bytes()))
        if handle.poll() is None:
            return handle
        handle.stop()
    except Exception:
        # No handle, or one that was cut off or that the launcher cannot read: nothing can be followed.
        return None
    return None


def _launcher_failed(run: Run, case: Case, error: Exception) -> Ending:
    name = case.launcher["name"]
    origin = run.spec.registry.find("launcher", name).origin
    reason = f"the launcher '{name}' of {origin} failed: {type(error).__name__}: {error}"
    return Ending("crash", "start", reason=reason, mistake=isinstance(error, BenchspecError))


def _collect(run: Run, flight: Flight) -> bool:
    """Whether a case has ended; if so, its result has been added to the journal."""
    for rank, event in flight.look():
        run.progress.saw(flight.case, rank, event)
    failed: Ending | None = None
    timeout: float | None = None
    try:
        stop = flight.stopped()
        if stop is None:
            return False
        timeout = stop.timeout
    except Exception as error:
        failed = _launcher_failed(run, flight.case, error)
        with suppress(Exception):
            flight.handle.stop()
    seen = evidence.read(flight.attempt)
    ending = failed or _judge(run, flight.case, flight.launcher, flight.attempt, seen, timeout)
    _finish(run, flight.case, flight.attempt, seen, ending, flight.started, _finished(seen, ending))
    return True


def _judge(
    run: Run, case: Case, launcher: Launcher, attempt: Path, seen: Evidence, timeout: float | None = None
) -> Ending:
    """How a process group ended; it must have no process left."""
    try:
        deaths = {} if seen.finished else _deaths(launcher, attempt)
    except Exception as error:
        return _launcher_failed(run, case, error)
    return judge(seen, deaths, timeout=timeout, kernel_killed=_kernel_killed(attempt))


def _deaths(launcher: Launcher, attempt: Path) -> Mapping[int, int]:
    found = launcher.deaths(attempt)
    if not isinstance(found, Mapping) or not all(isinstance(number, int) for pair in found.items() for number in pair):
        raise TypeError(f"deaths() returned {found!r}, not a mapping of ranks to exit codes")
    return found


def _kernel_killed(attempt: Path) -> bool:
    """Whether the kernel's count of out-of-memory kills has grown since the attempt started, when a file stored it."""
    file, now = attempt / KERNEL_KILLS, kernel_kills()
    before = file.read_bytes() if file.exists() else b""
    return now is not None and before.isdigit() and now > int(before)


def _finished(seen: Evidence, ending: Ending) -> float:
    """When a case ended: if it is ok, at its last event, because afterwards its processes only shut down."""
    return seen.times[1] if ending.outcome == "ok" and seen.times else time.time()


def _finish(
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
    run.progress.ended(case, result)
