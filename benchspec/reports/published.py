"""Published values next to measured ones: columns of a report's tables, and its list of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchspec.reports.cells import (
    ABSENT,
    basis_mark,
    measured_text,
    metric_text,
    number_text,
    published_text,
    verdict_text,
)
from benchspec.reports.report import Column
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.results.verdicts import Verdict
from benchspec.terms.metrics import METRICS


class Source(NamedTuple):
    """A publication, and the hardware that its values were measured on."""

    name: str
    hardware: str | None


class Place(NamedTuple):
    """The position of a source's two columns: next to a metric, or next to the outcome (None)."""

    metric: str | None
    #: the source's number
    source: int


@dataclass(frozen=True)
class Published:
    """The published values of all cases in a report."""

    #: (experiment, case) -> its verdicts
    verdicts: Mapping[tuple[str, str], Sequence[Verdict]]
    #: published slopes, as in run.json; listed, not compared
    slopes: Sequence[Mapping[str, Any]]
    #: source -> its number in the report, counted from 1 in order of appearance
    numbers: Mapping[Source, int]

    def of(self, result: Result) -> Sequence[Verdict]:
        """The verdicts of a case."""
        return self.verdicts.get((result.experiment, result.case), ())

    def number(self, value: Mapping[str, Any]) -> int:
        """The number of the source of a verdict or a slope."""
        return self.numbers[_source(value)]

    def place(self, verdict: Verdict) -> Place:
        """The columns that show a verdict, if the table has a column for its metric."""
        return Place(None if verdict["kind"] == "outcome" else verdict["metric"], self.number(verdict))

    def source_lines(self) -> list[str]:
        """A line per source: `[1] a paper, Figure 6 (on xe9680-h100)`."""
        return [f"[{number}] {_source_text(source)}" for source, number in self.numbers.items()]

    def other_machines(self, hardware: str | None) -> list[str]:
        """A warning for each machine of published values that differs from `hardware`; none if that is not known."""
        marks: dict[str, list[str]] = {}
        for source, number in self.numbers.items():
            if hardware and source.hardware and source.hardware != hardware:
                marks.setdefault(source.hardware, []).append(f"[{number}]")
        return [f"{', '.join(found)} published on {other}; this run is on {hardware}" for other, found in marks.items()]

    def slope_lines(self, experiment: str) -> list[str]:
        """A line per published slope of an experiment."""
        slopes = [slope for slope in self.slopes if slope["experiment"] == experiment]
        return [f"published, not compared: {_slope_text(slope)} [{self.number(slope)}]" for slope in slopes]


def verdicts_by_case(results: Results) -> dict[tuple[str, str], list[Verdict]]:
    """(experiment, case) -> its verdicts; a case without published values is absent."""
    cases: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in results.verdicts:
        cases.setdefault((verdict["experiment"], verdict["case"]), []).append(verdict)
    return cases


def collect(groups: Mapping[str, Sequence[Result]], results: Results) -> Published:
    """The published values of results, which `groups` holds by experiment."""
    verdicts, slopes = verdicts_by_case(results), results.run.get("slopes", [])
    numbers: dict[Source, int] = {}
    for experiment, group in groups.items():
        mine = [verdict for result in group for verdict in verdicts.get((experiment, result.case), ())]
        for value in [*mine, *(slope for slope in slopes if slope["experiment"] == experiment)]:
            numbers.setdefault(_source(value), len(numbers) + 1)
    return Published(verdicts, slopes, numbers)


def columns(group: Sequence[Result], shown: Sequence[str], known: Published) -> dict[str | None, list[Column]]:
    """Metric (None: the outcome) -> the columns next to it: two per source, the published value and the comparison."""
    places = _places(group, shown, known)
    several = len({place.metric for place in places.values()}) > 1
    found: dict[str | None, list[Column]] = {}
    for place in dict.fromkeys(places.values()):
        found.setdefault(place.metric, []).extend(_pair(group, place, places, known, several))
    return found


def _places(group: Sequence[Result], shown: Sequence[str], known: Published) -> dict[Place, Place]:
    """Place -> the place to show it at: outcomes move next to the numbers of their source, if the table has any."""
    found = dict.fromkeys(known.place(verdict) for result in group for verdict in known.of(result))
    numeric = [place for place in found if place.metric in shown]
    first_of_source = {place.source: place for place in reversed(numeric)}
    outcomes = {place: first_of_source.get(place.source, place) for place in found if place.metric is None}
    return {place: outcomes.get(place, place) for place in found if place in outcomes or place in numeric}


def _pair(
    group: Sequence[Result], place: Place, places: Mapping[Place, Place], known: Published, several: bool
) -> list[Column]:
    cells = [_cells(result, [v for v in known.of(result) if places.get(known.place(v)) == place]) for result in group]
    label = f"{METRICS[place.metric].label if place.metric else 'outcome'} " if several else ""
    right = place.metric is not None
    return [
        Column(f"{label}published [{place.source}]", [published for published, _ in cells], right),
        Column("measured / published", [compared for _, compared in cells], right),
    ]


def _cells(result: Result, verdicts: Sequence[Verdict]) -> tuple[str, str]:
    return "; ".join(map(published_text, verdicts)), "; ".join(_compared(result, verdict) for verdict in verdicts)


def _compared(result: Result, verdict: Verdict) -> str:
    text = verdict_text(verdict)
    return text if text == ABSENT or verdict["kind"] == "outcome" else basis_mark(result, verdict["metric"]) + text


def other_metrics(
    group: Sequence[Result], axes: Sequence[Column], shown: Sequence[str], known: Published
) -> list[Column]:
    """A table of published values of metrics without a column; cases with identical lines share one."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for result, *label in zip(group, *(axis.cells for axis in axes), strict=True):
        for verdict in known.of(result):
            if verdict["kind"] != "outcome" and verdict["metric"] not in shown:
                lines.setdefault(_line(result, verdict, known), []).append(", ".join(filter(None, label)))
    if not lines:
        return []
    cases = ["all" if len(labels) == len(group) else "; ".join(labels) for labels in lines.values()]
    metrics, measured, published, compared = zip(*lines, strict=True)
    return [
        Column("also published", metrics),
        Column(", ".join(axis.heading for axis in axes), cases),
        Column("measured", measured, right=True),
        Column("published", published, right=True),
        Column("measured / published", compared, right=True),
    ]


def _line(result: Result, verdict: Verdict, known: Published) -> tuple[str, ...]:
    metric = verdict["metric"]
    published = f"{published_text(verdict)} [{known.number(verdict)}]"
    return METRICS[metric].label, measured_text(result, metric), published, _compared(result, verdict)


def _source(value: Mapping[str, Any]) -> Source:
    return Source(value["source"], value["hardware"])


def _source_text(source: Source) -> str:
    return source.name + (f" (on {source.hardware})" if source.hardware else "")


def _slope_text(slope: Mapping[str, Any]) -> str:
    per = " and ".join(f"{number_text(amount)} {path}" for path, amount in slope["per"].items())
    more = "more" if slope["slope"] >= 0 else "less"
    return f"{metric_text(slope['metric'], abs(slope['slope']))} {more} {slope['metric']} per {per}"
