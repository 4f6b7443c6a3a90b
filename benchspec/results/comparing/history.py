"""A metric over many runs: series of what was measured alike, and where it changed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

from benchspec.results.differences import differences, part_text
from benchspec.results.launches import launches_of
from benchspec.results.result import Result
from benchspec.results.results import Results

#: fewer points than this say nothing of a change
LEAST_POINTS = 6
#: runs on each side of a change
LEAST_SEGMENT = 2
#: what a change must explain, in multiples of the noise between neighbouring points; see `changes_at`
PENALTY = 5.0


class Point(NamedTuple):
    """A case in one run."""

    #: the run directory
    run: str
    #: when its first launch started, in seconds since the epoch
    started: float
    #: of the working directory, else of benchspec, in words; None if neither was recorded
    commit: str | None
    #: the median over the launches, the lowest and the highest
    value: float
    low: float
    high: float
    launches: int
    #: what the first launch depends on beside its case
    record: Mapping[str, Any]


class Change(NamedTuple):
    """Where a series changes."""

    #: the index of the first point after it
    at: int
    #: the median after it over the median before it
    ratio: float
    #: what differs between the two runs on either side, in words
    differences: Sequence[str]


@dataclass(frozen=True)
class Series:
    """A metric of the same case on the same machine, oldest first."""

    experiment: str
    case: str
    axes: Mapping[str, Any]
    #: the machine, in words
    machine: str
    processes: int | None
    points: Sequence[Point]
    changes: Sequence[Change]
    #: the unit of a cost
    currency: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `history --format json` prints it; docs/history.md describes the keys."""
        points = [{key: value for key, value in point._asdict().items() if key != "record"} for point in self.points]
        changes = [
            {**change._asdict(), "from": self.points[change.at - 1].run, "to": self.points[change.at].run}
            for change in self.changes
        ]
        keys = ("experiment", "case", "axes", "machine", "processes")
        return {**{key: getattr(self, key) for key in keys}, "points": points, "changes": changes}


def can_mark_changes() -> bool:
    """Whether the library that finds changes is installed."""
    return find_spec("ruptures") is not None


def history(runs: Iterable[Results], metric: str) -> list[Series]:
    """A metric of the cases of many runs, a series for each case, machine, data and number of processes.

    A case whose settings changed has another id, so that a series holds only what is comparable; commits and versions
    may differ within it. Cases without the metric are left out. Changes are found if `ruptures` is installed.
    """
    found: dict[str, list[tuple[Result, Point]]] = {}
    for results in runs:
        for result in results.by_case():
            if metric in result.numbers:
                first = launches_of(result)[0]
                found.setdefault(_key(first), []).append((first, _point(results, result, metric)))
    return [_series(pairs) for pairs in found.values()]


def _key(result: Result) -> str:
    record = result.record
    data = (record.get("data") or {}).get("fingerprint")
    parts = [result.experiment, result.case, record.get("machine"), record.get("processes"), data]
    return json.dumps(parts, sort_keys=True)


def _point(results: Results, result: Result, metric: str) -> Point:
    launches = launches_of(result)
    values = [each.numbers[metric] for each in launches if metric in each.numbers]
    first = launches[0]
    return Point(
        run=str(results.folder),
        started=min(each.started for each in launches),
        commit=_commit(first.record.get("commits") or {}),
        value=result.numbers[metric],
        low=min(values),
        high=max(values),
        launches=len(values),
        record=first.record,
    )


def _commit(commits: Mapping[str, Any]) -> str | None:
    known = [commits[name] for name in ("working directory", "benchspec") if commits.get(name)]
    return part_text("commits", known[0]).removeprefix("commit ") if known else None


def _series(pairs: Sequence[tuple[Result, Point]]) -> Series:
    ordered = sorted(pairs, key=lambda pair: pair[1].started)
    points, latest = [point for _, point in ordered], ordered[-1][0]
    return Series(
        experiment=latest.experiment,
        case=latest.case,
        axes=latest.axes,
        machine=_machine(latest.record),
        processes=latest.record.get("processes"),
        points=points,
        changes=list(_changes(points)) if can_mark_changes() else [],
        currency=latest.currency,
    )


def _machine(record: Mapping[str, Any]) -> str:
    return ", ".join(str(part) for part in (record.get("machine") or {}).values() if part) or "a machine not recorded"


def _changes(points: Sequence[Point]) -> Iterator[Change]:
    values = [point.value for point in points]
    places = [0, *changes_at(values), len(values)]
    for before, at, after in zip(places, places[1:], places[2:], strict=False):
        found = [str(each) for each in differences(points[at - 1].record, points[at].record)]
        yield Change(at, median(values[at:after]) / median(values[before:at]), found)


def changes_at(values: Sequence[float]) -> list[int]:
    """The places at which a series of positive numbers changes its level; none of fewer than six.

    By PELT (Killick, Fearnhead and Eckley 2012) on logarithms, in units of the noise that neighbouring points show. The
    cost of a segment is the sum of absolute distances from its median, which one outlier hardly moves; a change must
    save `PENALTY` of these units. With noise alone, about one in twenty histories of thirty runs has a change then.
    """
    if len(values) < LEAST_POINTS or min(values) <= 0:
        return []
    import numpy as np
    from ruptures import Pelt

    logs = np.log(np.asarray(values, dtype=float))
    # The median of absolute differences of normal noise is 0.6745 times its standard deviation, times the root of 2.
    noise = float(np.median(np.abs(np.diff(logs)))) / 0.6745 / math.sqrt(2)
    units = (logs - np.median(logs)) / max(noise, 1e-9)
    found = Pelt(model="l1", min_size=LEAST_SEGMENT, jump=1).fit(units.reshape(-1, 1)).predict(pen=PENALTY)
    return [int(place) for place in found[:-1]]
