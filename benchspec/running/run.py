"""[Case] -> Results: drives launch, journal, resume and progress."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchspec.cases.case import Case
from benchspec.cases.expand import expand, facts
from benchspec.kinds.bases import Handle, Launcher
from benchspec.kinds.values import Facts
from benchspec.results import RUN, Result, Results, append, events, read_journal
from benchspec.results import reduce as metrics
from benchspec.running import attempts, rundir, runfile
from benchspec.running.ending import Ending, Flight, judge, note_kernel_kills
from benchspec.spec.spec import Spec
from benchspec.terms.errors import BenchspecError, NothingSelected, RunError, SpecError

if TYPE_CHECKING:
    from benchspec.running.progress import Progress

#: outcomes that running again would not change
FINAL = ("ok", "oom", "host-oom")
#: in an attempt's folder, by what a later benchspec finds the processes of this one
HANDLE = "handle"
#: seconds between looks at the running cases
INTERVAL = 0.2


@dataclass
class Run:
    """One execution of a spec in its run directory."""

    spec: Spec
    folder: Path
    facts: Facts
    progress: Progress
    #: tells this execution from others, so that data are read anew once in each
    invocation: str
    #: cases that the user must mend, with what they said
    mistakes: list[str] = field(default_factory=list)


@dataclass
class InFlight:
    """A case that is running."""

    case: Case
    attempt: Path
    flight: Flight


def run(
    spec: Spec,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Run what has no result yet in the run directory, and return all its results.

    Raises `SpecError`, `NothingSelected` and `RunError` before anything is started. What goes wrong in a case is that
    case's outcome.
    """
    from benchspec.running.progress import Quiet

    every = _ready(spec)
    cases = selected(every, only)
    _check_libraries()
    folder = Path(out) if out else Path("runs") / spec.name
    with rundir.said_in_a_line(folder):
        if fresh and folder.exists():
            with rundir.locked(folder):
                rundir.move_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with rundir.locked(folder):
            rundir.check_other_spec(folder, spec, every)
            here = facts(spec)
            current = Run(spec, folder.absolute(), here, progress or Quiet(), _invocation())
            pending = _without_result(folder, cases)
            anew = bool(pending) or not (folder / RUN).exists()
            runfile.write(folder, spec, every, here, anew=anew)
            _run_cases(current, pending)
            found = Results.load(folder)
    found.mistakes = current.mistakes
    return found


def _invocation() -> str:
    return f"{os.getpid()}-{time.time_ns()}"


def selected(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases that any pattern selects: a glob on, or a part of, `EXPERIMENT/CASE-ID`; all without patterns."""
    chosen = [case for case in cases if not patterns or any(_selects(pattern, case) for pattern in patterns)]
    if not chosen:
        names = ", ".join(f"{case.experiment}/{case.id}" for case in cases)
        raise NothingSelected(f"--only {' --only '.join(patterns)} selects no case ({names})")
    return chosen


def _selects(pattern: str, case: Case) -> bool:
    name = f"{case.experiment}/{case.id}"
    if any(character in pattern for character in "*?["):
        return any(fnmatchcase(text, pattern) for text in (name, case.id, case.experiment))
    return pattern in name


def _ready(spec: Spec) -> list[Case]:
    """The cases, if all that they read from this machine is there."""
    expansion = expand(spec)
    if problems := expansion.problems or list(dict.fromkeys(expansion.missing)):
        raise SpecError(problems)
    return expansion.cases


def _check_libraries() -> None:
    absent = [name for name in ("torch", "transformers", "accelerate") if find_spec(name) is None]
    if absent:
        raise RunError(f"{', '.join(absent)} not installed: pip install 'benchspec[train]', then run again")


def _without_result(folder: Path, cases: Sequence[Case]) -> list[Case]:
    latest = {(result.experiment, result.case): result.outcome for result in read_journal(folder)}
    return [case for case in cases if latest.get((case.experiment, case.id)) not in FINAL]


def _run_cases(run: Run, cases: Sequence[Case]) -> None:
    """Every case, as many at once as its launcher allows; whatever happens, no process is left."""
    waiting = list(cases)
    flying: list[InFlight] = []
    run.progress.begin(len(waiting))
    try:
        while waiting or flying:
            while waiting and len(flying) < max(1, _launcher(run.spec, waiting[0]).parallel):
                flying += _take_off(run, waiting.pop(0))
            flying = [one for one in flying if not _landed(run, one)]
            time.sleep(INTERVAL if flying else 0)
    finally:
        _stop_all(flying)
        run.progress.end()


def _stop_all(flying: Sequence[InFlight]) -> None:
    """End every group, the others too where ending one fails."""
    with ExitStack() as stops:
        for one in flying:
            stops.callback(one.flight.handle.stop)


def _launcher(spec: Spec, case: Case) -> Launcher:
    return cast(Launcher, spec.registry.create("launcher", case.launcher))


def _take_off(run: Run, case: Case) -> list[InFlight]:
    """Start a case; or, where an earlier benchspec was killed, take over what it left."""
    run.progress.started(case)
    left = attempts.last(run.folder, case)
    if left is None or _has_result(run, case, left):
        return _started(run, case)
    started, finished = attempts.times(left)
    if handle := _still_running(run, case, left):
        return [InFlight(case, left, Flight(left, handle, case.limits["timeout"], started))]
    ending = judge(left)
    if ending.outcome not in FINAL:
        return _started(run, case)
    _record(run, case, left, ending, started, finished)
    return []


def _started(run: Run, case: Case) -> list[InFlight]:
    attempt = attempts.new(run.folder, case, run.invocation)
    note_kernel_kills(attempt)
    started = time.time()
    try:
        handle = _launcher(run.spec, case).start(attempt)
    except Exception as error:
        _record(run, case, attempt, _launcher_failed(run, case, error), started, time.time())
        return []
    try:
        (attempt / HANDLE).write_text(handle.id)
    except BaseException:
        handle.stop()
        raise
    return [InFlight(case, attempt, Flight(attempt, handle, case.limits["timeout"], started))]


def _launcher_failed(run: Run, case: Case, error: Exception) -> Ending:
    name = case.launcher["name"]
    origin = run.spec.registry.find("launcher", name).origin
    reason = f"the launcher '{name}' of {origin} failed: {type(error).__name__}: {error}"
    return Ending("crash", "start", reason=reason, mistake=isinstance(error, BenchspecError))


def _landed(run: Run, one: InFlight) -> bool:
    """Whether a case has ended; its result is in the journal then."""
    for rank, event in one.flight.look():
        run.progress.saw(one.case, rank, event)
    try:
        ending = one.flight.ended()
    except Exception as error:
        ending = _launcher_failed(run, one.case, error)
    if ending is None:
        return False
    _record(run, one.case, one.attempt, ending, one.flight.started, _finished(one.attempt, ending))
    return True


def _finished(attempt: Path, ending: Ending) -> float:
    """When a case ended: with its last event where it is ok, since what follows is waiting for processes to go."""
    return attempts.times(attempt)[1] if ending.outcome == "ok" else time.time()


def _has_result(run: Run, case: Case, attempt: Path) -> bool:
    mine = (case.experiment, case.id, attempt.name)
    return any(mine == (found.experiment, found.case, found.attempt) for found in read_journal(run.folder))


def _still_running(run: Run, case: Case, attempt: Path) -> Handle | None:
    """The handle of a group that an earlier benchspec started and that goes on without it."""
    file = attempt / HANDLE
    if not file.exists():
        return None
    handle = _launcher(run.spec, case).attach(file.read_text())
    if handle.poll() is None:
        return handle
    handle.stop()
    return None


def _record(run: Run, case: Case, attempt: Path, ending: Ending, started: float, finished: float) -> None:
    """Reduce a case's events to its line of the journal."""
    ranks = events.read_ranks(attempt)
    warmup = case.measure["warmup_steps"]
    reduced = metrics.reduce(ranks, warmup_steps=warmup, facts=run.facts, started=started, finished=finished)
    result = Result(
        case=case.id,
        attempt=attempt.name,
        experiment=case.experiment,
        axes=case.axes,
        outcome=ending.outcome,
        phase=ending.phase,
        rank=ending.rank,
        reason=ending.reason,
        metrics=reduced.metrics,
        basis={},
        intervals=reduced.intervals,
        proof=_proof(ranks),
        started=started,
        finished=finished,
        log=list(ending.log),
    )
    append(run.folder, result)
    if ending.mistake and ending.outcome not in case.expected:
        run.mistakes.append(f"{case.experiment}/{case.id}: {ending.reason}")
    run.progress.ended(case, result)


def _proof(ranks: Mapping[int, list[events.Event]]) -> dict[str, Any]:
    """Rank 0's proof; every rank had to give one to come to its end."""
    proofs = [event for event in ranks.get(0, []) if event["event"] == "proof"]
    return {key: value for key, value in proofs[-1].items() if key not in ("event", "time")} if proofs else {}
