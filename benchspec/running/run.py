"""Cases -> results: start each case that has no result yet, watch it, and record how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchspec.cases.case import Case, Launch
from benchspec.cases.check import crowded_here, unobtainable
from benchspec.cases.expand import Expansion, expand
from benchspec.kinds.checks import is_count
from benchspec.machine import describe
from benchspec.results import journal
from benchspec.results.results import Results
from benchspec.results.run_json import BrokenRunFileError, read_run
from benchspec.running import agenda, profiled, rundir, runfile, stall
from benchspec.running.dependencies import Dependencies
from benchspec.running.execution import Run, launcher_of
from benchspec.running.finish import collect
from benchspec.running.flight import INTERVAL, Flight
from benchspec.running.start import skip, start_next
from benchspec.running.turns import Turn, turn
from benchspec.spec.spec import Spec
from benchspec.terms.errors import HungUp, RunError, SpecError, install
from benchspec.terms.layout import RUN, default_run_dir

if TYPE_CHECKING:
    from benchspec.running.progress import Progress


def run(
    spec: Spec,
    out: str | Path | None = None,
    *,
    only: str | Sequence[str] = (),
    fresh: bool = False,
    rerun: Literal["changed"] | None = None,
    repeats: int | None = None,
    profile: bool = False,
    progress: Progress | None = None,
    expansion: Expansion | None = None,
    least_stall: float = stall.LEAST,
) -> Results:
    """Run the cases that have no result yet in the run directory, and return all of its results.

    `out` is the run directory, by default runs/NAME; `only` selects cases, by a pattern or several; `fresh` moves an
    earlier run aside; `rerun="changed"` also runs the cases whose result depends on something that is no longer as it
    was (data, processes, machine, versions, commits); `repeats` is how often each case is launched, in place of what
    the spec says; `profile` runs a few more steps of each case that is ok under torch's profiler, in the folder
    `profile` beside its attempts; `expansion` is the spec's, if the caller already has it; `least_stall` is the number
    of seconds for which a rank that trains may make no step, however fast it was, before its case ends as `hang`.

    Raises `SpecError`, `NothingSelected` or `RunError`, or `ValueError` for an argument that is none of these, before
    anything is started. A failure within a case becomes that case's outcome.
    """
    from benchspec.running.progress import Quiet

    if rerun not in (None, "changed"):
        raise ValueError(f"rerun must be 'changed' or None, not {rerun!r}")
    if repeats is not None and not is_count(repeats):
        raise ValueError(f"repeats must be a whole number of at least 1, or None, not {repeats!r}")
    expansion = expansion or expand(spec)
    if expansion.problems:
        raise SpecError(expansion.problems)
    cases = agenda.selected(expansion.cases, [only] if isinstance(only, str) else only)
    if repeats is not None:
        chosen = {case.key for case in cases}
        every = [replace(case, repeats=repeats) if case.key in chosen else case for case in expansion.cases]
        expansion = replace(expansion, cases=every)
        cases = [case for case in every if case.key in chosen]
    _check_libraries()
    folder = Path(out) if out else default_run_dir(spec.name)
    if fresh or not (folder / RUN).exists():
        _check_obtainable(spec, expansion, cases)
    with rundir.write_errors(folder):
        if fresh and folder.exists():
            with rundir.locked(folder):
                rundir.move_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with rundir.locked(folder):
            asked = _Asked(rerun == "changed", profile, progress or Quiet(), least_stall)
            return _run_in(folder, spec, expansion, cases, asked)


class _Asked(NamedTuple):
    """What `run` was asked for beside the cases."""

    #: whether cases are measured again whose result depends on what has changed
    again: bool
    #: whether cases are run once more under a profiler
    profile: bool
    progress: Progress
    least_stall: float


def _run_in(folder: Path, spec: Spec, expansion: Expansion, cases: Sequence[Case], asked: _Asked) -> Results:
    """Run cases in a run directory that is locked for this process."""
    every, progress = expansion.cases, asked.progress
    earlier = _earlier(folder, progress)
    lines = journal.read_journal(folder)
    rundir.check_other_spec(folder, earlier, lines, spec, every)
    recorded = {(*line.key, line.attempt) for line in lines}
    found = describe.quickly()
    dependencies = Dependencies(spec.registry, found, folder)
    invocation = f"{os.getpid()}-{time.time_ns()}"
    current = Run(spec, folder.absolute(), folder, progress, invocation, dependencies, recorded, asked.least_stall)
    changed = agenda.changed(every, lines, dependencies.with_data)
    pending = agenda.to_run(cases, lines, changed if asked.again else ())
    write = partial(runfile.write, folder, spec, every, changed=changed)
    if (folder / RUN).exists():
        _check_obtainable(spec, expansion, _cases(pending))
    if earlier and not pending:
        machine = runfile.machine_of(earlier)
    else:
        machine = runfile.machine_here(spec, describe.completely(found))
    write(machine)
    for text in agenda.notes(changed, pending):
        progress.note(text)
    gpus = len(found["accelerators"])
    # Of the machine that a spec names, `check` warns.
    if spec.facts.accelerators != gpus and (crowded := crowded_here(expansion, _cases(pending), gpus)):
        progress.note(f"warning: {crowded}")
    _run_all(current, pending, cases)
    if current.there:
        machine = {**machine, **runfile.machine_there(spec, current.there)}
        write(machine)
    if not (folder / RUN).exists():
        progress.note(f"warning: {folder / RUN} was removed while the cases ran; it is written again")
        folder.mkdir(parents=True, exist_ok=True)
        write(machine)
    results = Results.load(folder)
    if asked.profile:
        done = {result.key for result in results if result.outcome == "ok" and "steps" in result.metrics}
        profiled.profile(current, [case for case in cases if case.key in done])
    results.judged = [case.key for case in cases]
    results.mistakes = list(current.mistakes.values())
    return results


def _earlier(folder: Path, progress: Progress) -> Mapping[str, Any] | None:
    """What run.json holds; None if there is none, or one that was cut off by a power failure: it is written anew."""
    try:
        return read_run(folder) if (folder / RUN).exists() else None
    except BrokenRunFileError as error:
        progress.note(f"warning: {error}; done now")
        return None


def _check_obtainable(spec: Spec, expansion: Expansion, pending: Sequence[Case]) -> None:
    """Raise `SpecError` with everything that cases to run need and cannot have here."""
    if lost := unobtainable(spec, expansion, pending):
        raise SpecError(lost)


def _check_libraries() -> None:
    absent = [name for name in ("torch", "transformers", "accelerate") if find_spec(name) is None]
    if absent:
        raise RunError(f"{', '.join(absent)} not installed: {install('train')}, then run again")


def _cases(pending: Sequence[Launch]) -> list[Case]:
    """Each case of which a launch is left to run, once."""
    return list({launch.case.key: launch.case for launch in pending}.values())


def _run_all(run: Run, pending: Sequence[Launch], cases: Sequence[Case]) -> None:
    """Run what is left of the cases, as much at a time as launchers allow; even after an error, no process is left."""
    waiting = list(pending)
    running: list[Flight] = []
    run.progress.begin(len(cases), len(cases) - len(_cases(waiting)), len(waiting))
    try:
        while waiting or running:
            while found := _turn(run, waiting, running, cases):
                launcher = launcher_of(run.spec, found.launch.case)
                if len(running) >= launcher.parallel:
                    break
                waiting.remove(found.launch)
                if found.skipped is None:
                    running += start_next(run, found.launch, launcher)
                else:
                    skip(run, found.launch, found.skipped)
                waiting = _without_mistakes(run, waiting)
            running = [flight for flight in running if not collect(run, flight)]
            waiting = _without_mistakes(run, waiting)
            time.sleep(INTERVAL if running else 0)
    except HungUp:
        # Whatever goes on without benchspec, the next run follows.
        running = [flight for flight in running if not getattr(flight.handle, "lasting", False)]
        raise
    finally:
        _stop_all(running)
        run.progress.end()


def _turn(run: Run, waiting: Sequence[Launch], running: Sequence[Flight], cases: Sequence[Case]) -> Turn | None:
    launches = [flight.launch for flight in running]
    return turn(waiting, launches, cases, lambda: journal.read_journal(run.folder))


def _without_mistakes(run: Run, waiting: Sequence[Launch]) -> list[Launch]:
    """The launches that would not meet a mistake that one of their case has met."""
    return [launch for launch in waiting if launch.case.key not in run.mistakes]


def _stop_all(running: Sequence[Flight]) -> None:
    """Stop every process group, even if stopping one of them fails."""
    with ExitStack() as stops:
        for flight in running:
            stops.callback(flight.handle.stop)
