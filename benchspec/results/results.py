"""A run directory <-> `Results`: the journal that a run appends to, and what a run has come to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, overload

from benchspec.spec.references import beside
from benchspec.terms.errors import BenchspecError, RunError

JOURNAL = "results.jsonl"
RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a case ended and what was measured: a line of the journal; `result.schema.json` describes each field."""

    schema: int = 1
    case: str
    attempt: str
    experiment: str
    #: what the matrix varied: dotted path -> value
    axes: Mapping[str, Any]
    outcome: str
    #: None where the outcome is ok, as are rank and reason
    phase: str | None = None
    rank: int | None = None
    reason: str | None = None
    #: metric id -> number in the metric's unit
    metrics: Mapping[str, float]
    #: metric id -> `projected` or `predicted`, where not measured
    basis: Mapping[str, str] = field(default_factory=dict)
    #: metric id -> [low, high]
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    #: that the model learnt and was spread as asked
    proof: Mapping[str, Any] = field(default_factory=dict)
    #: what was published of the case, each with its ratio to the measured or whether it was met
    references: Sequence[Mapping[str, Any]] = ()
    #: seconds since the epoch
    started: float
    finished: float
    #: last lines of the log; none where the outcome is ok
    log: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The result as strict JSON can hold it: numbers that are not finite become null."""
        return {each.name: _strict(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The result of a journal's line; raises `TypeError` where a field is missing or not known."""
        return cls(**data)


class Results(Sequence[Result]):
    """The latest result of each case of a run, in the order of its plan."""

    def __init__(self, results: Iterable[Result], run: Mapping[str, Any] | None = None, folder: Path = Path()):
        self._results = tuple(results)
        #: what run.json holds
        self.run: dict[str, Any] = dict(run or {})
        #: the run directory
        self.folder = folder
        #: what the user must mend before some of the cases can run
        self.mistakes: list[str] = []

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """The results in a run directory; raises `BenchspecError` where it is none or cannot be read."""
        folder = Path(folder)
        run = _read_run(folder)
        planned = _planned(_latest(read_journal(folder)), run)
        return cls([_beside_published(result, run) for result in planned], run, folder)

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return str(self.run.get("name", self.folder.name))

    def as_expected(self) -> bool:
        """Whether every case ended as its spec expects: `ok` where that says nothing."""
        expected = self.run.get("expected", {})
        return all(each.outcome in expected.get(f"{each.experiment}/{each.case}", ["ok"]) for each in self)

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...

    def __getitem__(self, index: int | slice) -> Result | Sequence[Result]:
        return self._results[index]


def append(folder: str | Path, result: Result) -> None:
    """Add a line to the journal, safe on disk when this returns; raises `RunError` where it cannot be written."""
    journal = Path(folder) / JOURNAL
    line = json.dumps(result.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        with journal.open("a+b") as file:
            _mend(file)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"cannot write {journal}: {error.strerror or error}") from error


def read_journal(folder: str | Path) -> list[Result]:
    """Every line of the journal, of all attempts; none where there is no journal yet.

    A last line that was cut off by a kill is left out. Raises `BenchspecError` for any other that is no result.
    """
    journal = Path(folder) / JOURNAL
    lines = journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    if not _is_whole(lines[-1]):
        lines.pop()
    return [_parse(line, f"{journal}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _mend(file: BinaryIO) -> None:
    """End a last line that a crash left without its newline, or drop it where it is cut off."""
    file.seek(0)
    whole, newline, tail = file.read().rpartition(b"\n")
    if tail and _is_whole(tail):
        file.write(b"\n")
    elif tail:
        file.truncate(len(whole) + len(newline))


def _is_whole(line: bytes) -> bool:
    """Whether a line that lacks its newline lacks nothing else: no beginning of a JSON object is one itself."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parse(line: bytes, where: str) -> Result:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise BenchspecError(f"{where}: error: not JSON ({error}); remove the line to run its case again") from None
    if not isinstance(data, dict) or data.get("schema") != 1:
        raise BenchspecError(f"{where}: error: not a result that this benchspec knows (schema 1)")
    try:
        return Result.from_json(data)
    except TypeError as error:
        raise BenchspecError(f"{where}: error: not a result: {str(error).removeprefix('Result.__init__() ')}") from None


def _read_run(folder: Path) -> dict[str, Any]:
    """What run.json holds; {} where there are results without one."""
    if not folder.is_dir():
        raise BenchspecError(f"{folder}: no such run directory")
    file = folder / RUN
    if not file.exists() and not (folder / JOURNAL).exists():
        raise BenchspecError(f"{folder} is no run directory: it has neither {RUN} nor {JOURNAL}")
    try:
        run = json.loads(file.read_bytes()) if file.exists() else {}
    except ValueError as error:
        raise BenchspecError(f"{file}: error: not JSON ({error})") from None
    if not isinstance(run, dict):
        raise BenchspecError(f"{file}: error: expected a JSON object")
    return run


def _latest(results: Iterable[Result]) -> dict[tuple[str, str], Result]:
    return {(result.experiment, result.case): result for result in results}


def _planned(latest: Mapping[tuple[str, str], Result], run: Mapping[str, Any]) -> list[Result]:
    """The results of the planned cases, in the plan's order; others are of an earlier version of the spec."""
    if "cases" not in run:
        return list(latest.values())
    return [latest[experiment, case] for experiment, case in run["cases"] if (experiment, case) in latest]


def _beside_published(result: Result, run: Mapping[str, Any]) -> Result:
    """The result with what its spec says of published values now: references may come after a measurement."""
    told = run.get("published", {}).get(f"{result.experiment}/{result.case}")
    return result if told is None else replace(result, references=beside(told, result.outcome, result.metrics))


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
