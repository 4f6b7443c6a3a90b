"""A metric over many runs: series of what was measured alike, and where it changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from benchspec.results.comparing.changes import can_mark_changes, changes_at
from benchspec.results.comparing.equality import differing, unknown
from benchspec.results.comparing.sides import Side, Sides, key, side
from benchspec.results.differences import differences, part_text
from benchspec.results.result import Result
from benchspec.results.results import Results


class Point(NamedTuple):
    """A case in one run."""

    #: the run directory
    run: str
    #: when its first launch started, in seconds since the epoch
    started: float
    #: of the working directory, else of benchspec, in words; None if neither was recorded
    commit: str | None
    #: the median over the launches that have the metric, the lowest and the highest
    value: float
    low: float
    high: float
    launches: int
    #: what the first of these launches depends on beside its case
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
    #: the case's id in the latest run
    case: str
    axes: Mapping[str, Any]
    #: the machine, in words
    machine: str
    processes: int | None
    points: Sequence[Point]
    changes: Sequence[Change]
    #: how it differs from the most similar earlier series of the same case, in words; empty if there is none
    apart: Sequence[str] = ()
    #: `projected` or `predicted`; None if the metric was measured
    basis: str | None = None
    #: the unit of a cost
    currency: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `history --format json` prints it; docs/history.md describes the keys."""
        points = [{name: value for name, value in point._asdict().items() if name != "record"} for point in self.points]
        changes = [
            {**change._asdict(), "from": self.points[change.at - 1].run, "to": self.points[change.at].run}
            for change in self.changes
        ]
        names = ("experiment", "case", "axes", "machine", "processes", "basis", "apart")
        return {**{name: getattr(self, name) for name in names}, "points": points, "changes": changes}


class _Measured(NamedTuple):
    """A case in one run, with what shows whether another is comparable."""

    result: Result
    #: the launches that have the metric; its name is the run directory
    side: Side
    point: Point


@dataclass
class _Group:
    """What is comparable, oldest first."""

    members: list[_Measured]
    apart: Sequence[str]


def history(runs: Iterable[Results], metric: str) -> list[Series]:
    """A metric of the cases of many runs, a series for each case and whatever should be equal in a comparison.

    That is what `equality` says, so that each point of a series is comparable with the one before it; commits and
    versions may differ within a series. Launches without the metric count for nothing, and cases without any are left
    out. Changes are found if `ruptures` is installed.
    """
    measured = [each for results in runs for each in _measured(results, metric)]
    cases: dict[tuple[Any, ...], list[_Group]] = {}
    for each in sorted(measured, key=lambda each: each.point.started):
        _add(cases.setdefault((*key(each.result), each.result.basis.get(metric)), []), each)
    return [_series(group, metric) for groups in cases.values() for group in groups]


def _measured(results: Results, metric: str) -> Iterator[_Measured]:
    for result in results.by_case():
        launches = [each for each in result.launches if metric in each.numbers]
        if launches:
            run = str(results.folder)
            yield _Measured(result, side(run, results, launches), _point(run, launches, metric))


def _point(run: str, launches: Sequence[Result], metric: str) -> Point:
    values = [each.numbers[metric] for each in launches]
    record = launches[0].record
    return Point(
        run=run,
        started=min(each.started for each in launches),
        commit=_commit(record.get("commits") or {}),
        value=median(values),
        low=min(values),
        high=max(values),
        launches=len(values),
        record=record,
    )


def _commit(commits: Mapping[str, Any]) -> str | None:
    known = [commits[name] for name in ("working directory", "benchspec") if commits.get(name)]
    return part_text("commits", known[0]).removeprefix("commit ") if known else None


def _add(groups: list[_Group], new: _Measured) -> None:
    """Add a case to the group with whose latest member it is comparable, or else to a new one."""
    apart = [_apart(group.members[-1], new) for group in groups]
    for group, found in zip(groups, apart, strict=True):
        if not found:
            group.members.append(new)
            return
    groups.append(_Group([new], min(apart, key=len, default=())))


def _apart(old: _Measured, new: _Measured) -> list[str]:
    """Why two runs of a case are not comparable, in words; empty if they are."""
    unsaid = [*unknown(old.side), *unknown(new.side)]
    if unsaid:
        # What is known decides; the id stands for the settings.
        return [] if _recorded(old.result, old.point) == _recorded(new.result, new.point) else unsaid
    return differing(Sides(new.result.experiment, new.result.axes, old.side, new.side), ("libraries",)).unequal


def _recorded(result: Result, point: Point) -> str:
    record = point.record
    data = (record.get("data") or {}).get("fingerprint")
    return json.dumps([result.case, record.get("machine"), record.get("processes"), data], sort_keys=True)


def _series(group: _Group, metric: str) -> Series:
    points, latest = [each.point for each in group.members], group.members[-1]
    return Series(
        experiment=latest.result.experiment,
        case=latest.result.case,
        axes=latest.result.axes,
        machine=_machine(latest.point.record),
        processes=latest.point.record.get("processes"),
        points=points,
        changes=list(_changes(points)) if can_mark_changes() else [],
        apart=group.apart,
        basis=latest.result.basis.get(metric),
        currency=latest.result.currency,
    )


def _machine(record: Mapping[str, Any]) -> str:
    return ", ".join(str(part) for part in (record.get("machine") or {}).values() if part) or "a machine not recorded"


def _changes(points: Sequence[Point]) -> Iterator[Change]:
    values = [point.value for point in points]
    places = [0, *changes_at(values), len(values)]
    for before, at, after in zip(places, places[1:], places[2:], strict=False):
        found = [str(each) for each in differences(points[at - 1].record, points[at].record)]
        yield Change(at, median(values[at:after]) / median(values[before:at]), found)
