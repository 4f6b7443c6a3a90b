"""Results -> tables of text, which the reporters for people write down each in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchspec.results.reduce import METRICS
from benchspec.results.results import Result, Results
from benchspec_plugins.reporters.cells import (
    ABSENT,
    axis_texts,
    metric_text,
    number_text,
    one_line,
    published_text,
    verdict_text,
)

#: the metrics with a column of their own; memory is the accelerator's where any is known, else the host's
SHOWN = (
    "train_runtime",
    "rows_per_second",
    "tokens_per_second",
    "step_time_p50",
    "mfu",
    "peak_memory_allocated",
    "host_peak_memory",
    "energy",
    "cost",
    "final_loss",
)


@dataclass(frozen=True)
class Column:
    """A column of text."""

    heading: str
    cells: Sequence[str]
    #: whether the cells are numbers, or stand beside numbers
    right: bool = False


@dataclass(frozen=True)
class Section:
    """An experiment."""

    title: str
    table: Sequence[Column]
    #: published values of metrics that have no column in the table; may be empty
    also: Sequence[Column]
    #: what is to be said beneath, a line each
    notes: Sequence[str]


@dataclass(frozen=True)
class Report:
    """All that a report for people says."""

    sections: Sequence[Section]
    #: where the published values come from, numbered as in the tables
    sources: Sequence[str]
    #: what to mind, a line each
    warnings: Sequence[str]
    #: the machine, in a line; empty where that is not known
    machine: str


class Source(NamedTuple):
    """Where something was published, and on what it was measured."""

    name: str
    hardware: str | None


class Place(NamedTuple):
    """Where published values stand: beside a metric, or beside the outcome (None), by the number of their source."""

    metric: str | None
    source: int


#: every source of a report -> its number, from 1
Numbers = Mapping[Source, int]


def report(results: Results) -> Report:
    """The whole report."""
    numbers = _numbers(results)
    sections = [_section(group, results.run, numbers) for group in by_experiment(results).values()]
    sources = [f"[{number}] {_source_text(source)}" for source, number in numbers.items()]
    machine = str(results.run.get("machine_line", ""))
    return Report(sections, sources, [*_elsewhere(numbers, results.run), *_waiting(results)], machine)


def nothing(results: Results) -> str:
    """What to say where there is no result."""
    return f"No results: no case of '{results.name}' has ended yet."


def by_experiment(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Results by experiment, in the order of first appearance."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.experiment, []).append(result)
    return groups


def axis_paths(results: Iterable[Result]) -> list[str]:
    """Every axis of any of the results."""
    return list(dict.fromkeys(path for result in results for path in result.axes))


def source_of(reference: Mapping[str, Any]) -> Source:
    """The source of a reference or a slope."""
    return Source(reference["source"], reference["hardware"])


def _numbers(results: Results) -> Numbers:
    """The sources in the order in which a reader comes to them."""
    found: dict[Source, int] = {}
    for experiment, group in by_experiment(results).items():
        references = [reference for result in group for reference in result.references]
        for reference in [*references, *_slopes(results.run, experiment)]:
            found.setdefault(source_of(reference), len(found) + 1)
    return found


def _slopes(run: Mapping[str, Any], experiment: str) -> list[Mapping[str, Any]]:
    return [slope for slope in run.get("slopes", []) if slope["experiment"] == experiment]


def _source_text(source: Source) -> str:
    return source.name + (f" (on {source.hardware})" if source.hardware else "")


def _elsewhere(numbers: Numbers, run: Mapping[str, Any]) -> list[str]:
    """A warning for each other machine that values were published on."""
    here = run.get("hardware")
    places: dict[str, list[str]] = {}
    for source, number in numbers.items():
        if here and source.hardware and source.hardware != here:
            places.setdefault(source.hardware, []).append(f"[{number}]")
    return [f"{', '.join(marks)} published on {there}; this run is on {here}" for there, marks in places.items()]


def _waiting(results: Results) -> list[str]:
    planned = len(results.run.get("cases", []))
    missing = planned - len(results)
    return [f"{missing} of {planned} cases {'has' if missing == 1 else 'have'} no result yet"] if missing > 0 else []


def _section(group: Sequence[Result], run: Mapping[str, Any], numbers: Numbers) -> Section:
    experiment = group[0].experiment
    title = run.get("experiments", {}).get(experiment, {}).get("title") or experiment
    axes, shown = _axes(group), _shown(group)
    places = _places(group, shown, numbers)
    table = [*axes, Column("outcome", [_outcome(result) for result in group])]
    for metric in (None, *shown):
        table += [_measured(group, metric)] if metric else []
        table += _published(group, places, metric, numbers)
    return Section(
        one_line(title),
        table,
        _also(group, axes, shown, numbers),
        [*_endings(group), *_bases(group, shown), *_slope_lines(run, experiment, numbers)],
    )


def _axes(group: Sequence[Result]) -> list[Column]:
    """A column for each axis; without any, the cases' ids."""
    paths = axis_paths(group)
    if not paths:
        return [Column("case", [result.case for result in group])]
    return [_axis(group, path, _short(path, paths)) for path in paths]


def _axis(group: Sequence[Result], path: str, heading: str) -> Column:
    values = [result.axes[path] for result in group if path in result.axes]
    texts = iter(axis_texts(values))
    cells = [one_line(next(texts)) if path in result.axes else "" for result in group]
    return Column(heading, cells, right=all(isinstance(value, int | float) for value in values))


def _short(path: str, paths: Sequence[str]) -> str:
    """A path's last part, where no other path ends so."""
    last = path.split(".")[-1]
    return last if sum(other.split(".")[-1] == last for other in paths) == 1 else path


def _outcome(result: Result) -> str:
    return result.outcome if result.outcome == "ok" or not result.phase else f"{result.outcome} ({result.phase})"


def _shown(group: Sequence[Result]) -> list[str]:
    known = [metric for metric in SHOWN if any(metric in result.metrics for result in group)]
    return [metric for metric in known if metric != "host_peak_memory" or "peak_memory_allocated" not in known]


def _measured(group: Sequence[Result], metric: str) -> Column:
    return Column(METRICS[metric].label, [measured_text(result, metric) for result in group], right=True)


def measured_text(result: Result, metric: str) -> str:
    """A metric of a result; `~` marks what was not measured."""
    # What a crashed case measured is kept in its result; beside those that proved their learning it would pass for one.
    if metric not in result.metrics or (result.outcome == "crash" and "memory" not in metric):
        return ABSENT
    return _mark(result, metric) + metric_text(metric, result.metrics[metric])


def _mark(result: Result, metric: str | None) -> str:
    return "~" if metric in result.basis else ""


def _place(reference: Mapping[str, Any], numbers: Numbers) -> Place:
    return Place(None if "outcome" in reference else reference["metric"], numbers[source_of(reference)])


def _places(group: Sequence[Result], shown: Sequence[str], numbers: Numbers) -> dict[Place, Place]:
    """Where each published value stands: an outcome beside the numbers of its source, where the table has any."""
    found = dict.fromkeys(_place(reference, numbers) for result in group for reference in result.references)
    columns = [place for place in found if place.metric in shown]
    beside = {place.source: place for place in reversed(columns)}
    return {
        place: beside.get(place.source, place) if place.metric is None else place
        for place in found
        if place.metric is None or place in columns
    }


def _published(
    group: Sequence[Result], places: Mapping[Place, Place], metric: str | None, numbers: Numbers
) -> list[Column]:
    """Two columns for each source of published values: what it says, and how the measured stands to it."""
    every = dict.fromkeys(places.values())
    several = len({place.metric for place in every}) > 1
    columns: list[Column] = []
    for place in (place for place in every if place.metric == metric):
        cells = [_beside(result, place, places, numbers) for result in group]
        label = f"{METRICS[metric].label if metric else 'outcome'} " if several else ""
        columns += [
            Column(f"{label}published [{place.source}]", [said for said, _ in cells], right=metric is not None),
            Column("measured / published", [stands for _, stands in cells], right=metric is not None),
        ]
    return columns


def _beside(result: Result, place: Place, places: Mapping[Place, Place], numbers: Numbers) -> tuple[str, str]:
    """What was published of a case at a place, and how the measured stands to it."""
    here = [each for each in result.references if places.get(_place(each, numbers)) == place]
    return "; ".join(map(published_text, here)), "; ".join(_verdict(result, each) for each in here)


def _verdict(result: Result, reference: Mapping[str, Any]) -> str:
    text = verdict_text(reference)
    return text if text == ABSENT or "outcome" in reference else _mark(result, reference["metric"]) + text


def _also(group: Sequence[Result], axes: Sequence[Column], shown: Sequence[str], numbers: Numbers) -> list[Column]:
    """Published values of metrics without a column of their own; cases of which the same is to be said share a row."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for result, *label in zip(group, *(axis.cells for axis in axes), strict=True):
        for each in result.references:
            if each["metric"] and each["metric"] not in shown and "outcome" not in each:
                lines.setdefault(_also_line(result, each, numbers), []).append(", ".join(filter(None, label)))
    if not lines:
        return []
    cases = ["all" if len(labels) == len(group) else "; ".join(labels) for labels in lines.values()]
    metrics, measured, published, verdicts = zip(*lines, strict=True)
    return [
        Column("also published", metrics),
        Column(", ".join(axis.heading for axis in axes), cases),
        Column("measured", measured, right=True),
        Column("published", published, right=True),
        Column("measured / published", verdicts, right=True),
    ]


def _also_line(result: Result, reference: Mapping[str, Any], numbers: Numbers) -> tuple[str, ...]:
    metric, number = reference["metric"], numbers[source_of(reference)]
    published = f"{published_text(reference)} [{number}]"
    return METRICS[metric].label, measured_text(result, metric), published, _verdict(result, reference)


def _endings(group: Sequence[Result]) -> list[str]:
    """A line for each case that is not ok."""
    return [_ending(result) for result in group if result.outcome != "ok"]


def _ending(result: Result) -> str:
    where = f" in {result.phase}" if result.phase else ""
    rank = "" if result.rank is None else f" on rank {result.rank}"
    return f"{result.case}: {result.outcome}{where}{rank}: {one_line(result.reason or 'no reason known')}"


def _bases(group: Sequence[Result], shown: Sequence[str]) -> list[str]:
    """A line for each set of numbers that were not measured."""
    told: dict[tuple[str, str], list[str]] = {}
    for result in group:
        for basis in dict.fromkeys(result.basis.values()):
            labels = [METRICS[metric].label for metric in shown if result.basis.get(metric) == basis]
            if labels:
                told.setdefault((basis, ", ".join(labels)), []).append(result.case)
    return [
        f"~ {basis}, not measured: {labels} of {'every case' if len(cases) == len(group) else ', '.join(cases)}"
        for (basis, labels), cases in told.items()
    ]


def _slope_lines(run: Mapping[str, Any], experiment: str, numbers: Numbers) -> list[str]:
    return [
        f"published, not compared: {_slope_text(slope)} [{numbers[source_of(slope)]}]"
        for slope in _slopes(run, experiment)
    ]


def _slope_text(slope: Mapping[str, Any]) -> str:
    per = " and ".join(f"{number_text(amount)} {path}" for path, amount in slope["per"].items())
    more = "more" if slope["slope"] >= 0 else "less"
    return f"{metric_text(slope['metric'], abs(slope['slope']))} {more} {slope['metric']} per {per}"
