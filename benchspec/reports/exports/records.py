"""What each target is given of a result: plain values, by the names that reports and specs use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchspec.results import resolved
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.terms.harmless import one_line


@dataclass(frozen=True)
class Record:
    """A launch of a case."""

    experiment: str
    case: str
    launch: int
    #: whether the case has other launches
    one_of_several: bool
    #: dotted path -> value, of every setting; of what the matrix varied alone, where the case's files are gone
    settings: Mapping[str, Any]
    #: metric id -> number; empty unless it is ok
    metrics: Mapping[str, float]
    #: metric id -> unit
    units: Mapping[str, str]
    #: how it ended, and what it depends on, as text
    facts: Mapping[str, str]
    #: its optimizer steps, as `Results.steps` gives them
    steps: Sequence[Mapping[str, Any]]
    #: seconds since the epoch
    started: float
    finished: float
    ok: bool

    @property
    def name(self) -> str:
        """`CASE`, or of several launches `CASE/2`."""
        return f"{self.case}/{self.launch}" if self.one_of_several else self.case

    @property
    def id(self) -> str:
        """The same whenever this launch is exported, and different for any other."""
        return f"{self.experiment}/{self.case}/{self.launch}@{self.started:.3f}"


def records(results: Results) -> list[Record]:
    """What is exported of each result."""
    several = {each.key for each in results.by_case() if len(each.launches) > 1}
    return [_record(results, result, result.key in several) for result in results]


def _record(results: Results, result: Result, one_of_several: bool) -> Record:
    case = resolved.read(results.folder_of(result))
    return Record(
        experiment=result.experiment,
        case=result.case,
        launch=result.launch,
        one_of_several=one_of_several,
        settings=dict(resolved.settings(case)) if case else dict(result.axes),
        metrics=result.numbers,
        units=result.units,
        facts=_facts(results, result),
        steps=results.steps(result),
        started=result.started,
        finished=result.finished,
        ok=result.outcome == "ok",
    )


def _facts(results: Results, result: Result) -> dict[str, str]:
    ending = {key: getattr(result, key) for key in ("outcome", "phase", "rank", "reason", "attempt")}
    record = {
        f"{part}.{name}": value
        for part in ("machine", "libraries", "commits")
        for name, value in (result.record.get(part) or {}).items()
    }
    found = {**ending, "processes": result.record.get("processes"), "benchmark": results.name, **record}
    return {key: text(value) for key, value in found.items() if value is not None}


def text(value: Any) -> str:
    """A value as one line of text."""
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
