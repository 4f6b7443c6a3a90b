"""[Case] -> Results: drives launch, journal, resume and progress."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from benchspec import events, machine, machine_text, metrics, references, results
from benchspec.errors import NothingSelected, RunError, SpecError
from benchspec.kinds import Facts, Launcher
from benchspec.launch import Ending, Flight, note_kernel_kills
from benchspec.plan import Case, expand, hardware, plan
from benchspec.progress import Progress, Quiet
from benchspec.results import Result, Results
from benchspec.spec import Spec

#: outcomes that running again would not change
FINAL = ("ok", "oom", "host-oom")
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
    cases = selected(_ready(spec), only)
    _check_libraries()
    folder = Path(out) if out else Path("runs") / spec.name
    if fresh:
        move_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        every = plan(spec)
        _check_other_spec(folder, spec, every)
        facts = hardware(spec).facts()
        current = Run(spec, folder.absolute(), facts, progress or Quiet(), uuid.uuid4().hex[:12])
        pending = _without_result(folder, cases)
        _write_run(current, every, anew=bool(pending))
        _run_cases(current, pending)
        found = Results.load(folder)
        found.mistakes = current.mistakes
        return found


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


def move_aside(folder: Path) -> Path | None:
    """Rename an earlier run directory after the time when it was begun; nothing is deleted."""
    if not folder.exists():
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(folder.stat().st_mtime))
    names = [folder.with_name(f"{folder.name}.{stamp}{suffix}") for suffix in ("", *(f".{n}" for n in range(1, 1000)))]
    target = next(name for name in names if not name.exists())
    folder.rename(target)
    return target


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


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The run directory for this process alone."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise RunError(f"another benchspec run is using {folder}; wait for it, or choose another --out") from None


def _check_other_spec(folder: Path, spec: Spec, cases: Sequence[Case]) -> None:
    """Raise where the run directory holds the results of another spec, which would be lost from every report."""
    if not (folder / "run.json").exists():
        return
    name = json.loads((folder / "run.json").read_text()).get("name")
    ways_out = "--fresh moves them aside, --out DIR puts the new ones elsewhere"
    if name != spec.name:
        raise RunError(f"{folder} holds the results of another spec, '{name}'; {ways_out}")
    done = {(result.experiment, result.case) for result in results.read_journal(folder)}
    if done and not done & {(case.experiment, case.id) for case in cases}:
        raise RunError(f"{folder} holds the results of another version of '{name}', with no case in common; {ways_out}")


def _without_result(folder: Path, cases: Sequence[Case]) -> list[Case]:
    latest = {(result.experiment, result.case): result.outcome for result in results.read_journal(folder)}
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
        for one in flying:
            one.flight.handle.stop()
        run.progress.end()


def _launcher(spec: Spec, case: Case) -> Launcher:
    return cast(Launcher, spec.registry.create("launcher", case.launcher))


def _take_off(run: Run, case: Case) -> list[InFlight]:
    """Start a case; or, where an earlier benchspec was killed, take over what it left."""
    run.progress.started(case)
    last = _last_attempt(run, case)
    if last and not _has_result(run, case, last) and events.finished(events.read_ranks(last)):
        _record(run, case, last, Ending("ok"), *_times(last))
        return []
    if last and (handle := _still_running(run, case, last)):
        return [InFlight(case, last, Flight(last, handle, case.limits["timeout"], _times(last)[0]))]
    attempt = _new_attempt(run, case, last)
    note_kernel_kills(attempt)
    started = time.time()
    handle = _launcher(run.spec, case).start(attempt)
    (attempt / "handle").write_text(handle.id)
    return [InFlight(case, attempt, Flight(attempt, handle, case.limits["timeout"], started))]


def _landed(run: Run, one: InFlight) -> bool:
    """Whether a case has ended; its result is in the journal then."""
    for rank, event in one.flight.look():
        run.progress.saw(one.case, rank, event)
    ending = one.flight.ended()
    if ending is None:
        return False
    _record(run, one.case, one.attempt, ending, one.flight.started, time.time())
    return True


def _cases_folder(run: Run, case: Case) -> Path:
    return run.folder / "cases" / case.experiment / case.id


def _last_attempt(run: Run, case: Case) -> Path | None:
    attempts = [path for path in _cases_folder(run, case).glob("*") if path.name.isdigit()]
    return max(attempts, key=lambda path: int(path.name), default=None)


def _has_result(run: Run, case: Case, attempt: Path) -> bool:
    mine = (case.experiment, case.id, attempt.name)
    return any(mine == (found.experiment, found.case, found.attempt) for found in results.read_journal(run.folder))


def _still_running(run: Run, case: Case, attempt: Path) -> Any:
    """The handle of a group that an earlier benchspec started and that goes on without it."""
    file = attempt / "handle"
    if not file.exists():
        return None
    handle = _launcher(run.spec, case).attach(file.read_text())
    if handle.poll() is None:
        return handle
    handle.stop()
    return None


def _times(attempt: Path) -> tuple[float, float]:
    """When an attempt's first and last events were."""
    times = [event["time"] for found in events.read_ranks(attempt).values() for event in found]
    return (min(times), max(times)) if times else (time.time(), time.time())


def _new_attempt(run: Run, case: Case, last: Path | None) -> Path:
    attempt = _cases_folder(run, case) / str(int(last.name) + 1 if last else 1)
    attempt.mkdir(parents=True)
    _write(attempt / "case.json", {**case.to_json(), "invocation": run.invocation})
    return attempt


def _record(run: Run, case: Case, attempt: Path, ending: Ending, started: float, finished: float) -> None:
    """Reduce a case's events to its line of the journal."""
    ranks = events.read_ranks(attempt)
    warmup = case.measure["warmup_steps"]
    reduced = metrics.reduce(ranks, warmup_steps=warmup, facts=run.facts, started=started, finished=finished)
    result = Result(
        schema=1,
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
        references=references.beside(_published(run.spec, case), ending.outcome, reduced.metrics),
        started=started,
        finished=finished,
        log=list(ending.log),
    )
    results.append(run.folder, result)
    if ending.mistake:
        run.mistakes.append(f"{case.experiment}/{case.id}: {ending.reason}")
    run.progress.ended(case, result)


def _published(spec: Spec, case: Case) -> list[dict[str, Any]]:
    return references.published(spec.references, case.experiment, case.fields)


def _proof(ranks: Mapping[int, list[events.Event]]) -> dict[str, Any]:
    """Rank 0's proof; every rank had to give one to come to its end."""
    proofs = [event for event in ranks.get(0, []) if event["event"] == "proof"]
    return {key: value for key, value in proofs[-1].items() if key not in ("event", "time")} if proofs else {}


def _write_run(run: Run, cases: Sequence[Case], *, anew: bool) -> None:
    """run.json: what was asked for, where, and of what; where nothing is left to run, the machine stays as it was."""
    spec = run.spec
    experiments = {name: {"title": node.plain().get("title", name)} for name, node in spec.experiments.items()}
    plugins = sorted({str(entry.origin) for entry in spec.registry.entries()})
    _write(
        run.folder / "run.json",
        {
            "schema": 1,
            "name": spec.name,
            "spec": spec.plain(),
            "hash": spec_hash(spec),
            "file": str(spec.file),
            "set": list(spec.sets),
            "command": sys.argv,
            "report": spec.report,
            **(_here(run) if anew else _as_it_was(run.folder)),
            "plugins": plugins,
            "experiments": experiments,
            "slopes": references.slopes(spec.references),
            "published": {f"{case.experiment}/{case.id}": _published(spec, case) for case in cases},
            "cases": [[case.experiment, case.id] for case in cases],
            "expected": {f"{case.experiment}/{case.id}": list(case.expected) for case in cases},
        },
    )


def _here(run: Run) -> dict[str, Any]:
    """The machine that the cases are about to run on."""
    facts = machine.describe()
    name = hardware_name(run.spec, run.facts)
    return {"hardware": name, "machine": facts, "machine_line": machine_text.line(facts), "started": time.time()}


def _as_it_was(folder: Path) -> dict[str, Any]:
    """What run.json says of the machine that the results are from."""
    before = json.loads((folder / "run.json").read_text())
    return {key: before[key] for key in ("hardware", "machine", "machine_line", "started")}


def spec_hash(spec: Spec) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(spec.plain(), sort_keys=True).encode()).hexdigest()


def hardware_name(spec: Spec, facts: Facts) -> str:
    """What the spec calls the machine; for `auto`, the named machine that it is, or what it has."""
    named = spec.hardware.plain() if spec.hardware else "auto"
    name = str(named if isinstance(named, str) else named["name"])
    if name != "auto":
        return name
    published = dict.fromkeys(reference.hardware for reference in spec.references if reference.hardware)
    known = [other for other in published if other in spec.registry.names("hardware")]
    same = [other for other in known if same_machine(_named_facts(spec, other), facts)]
    return same[0] if same else (facts.accelerator and f"{facts.accelerators} × {facts.accelerator}") or "a CPU"


def _named_facts(spec: Spec, name: str) -> Facts:
    from benchspec import document, resolve
    from benchspec.kinds import Hardware

    value = resolve.plugin(spec.registry, "hardware", document.bare(name))
    return cast(Hardware, spec.registry.create("hardware", value)).facts()


def same_machine(one: Facts, other: Facts) -> bool:
    """Whether two machines have the same accelerators: as many, with the same dense peak and memory."""
    peaks = [{precision: fact.value for precision, fact in facts.peak.items()} for facts in (one, other)]
    return one.accelerators == other.accelerators > 0 and bool(peaks[0]) and peaks[0] == peaks[1]


def _write(file: Path, data: Any) -> None:
    """Replace a JSON file at once: a reader sees the old one or the new one."""
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)
