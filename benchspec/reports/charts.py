"""Results -> charts as plain values: what is drawn where; a reporter decides how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchspec.reports.cells import axis_texts, field_text
from benchspec.reports.columns import axis_paths, by_experiment
from benchspec.results.launches import Launches
from benchspec.results.regression import fit_line
from benchspec.results.result import Result
from benchspec.results.results import Results
from benchspec.results.scripts import told_apart
from benchspec.results.verdicts import Verdict
from benchspec.terms.harmless import one_line
from benchspec.terms.metrics import METRICS

#: how a number came about, or `failed` for a case without one
Basis = Literal["measured", "projected", "predicted", "failed"]


@dataclass(frozen=True)
class Mark:
    """A result in a chart."""

    #: its place: a number on a numeric axis, else one of the chart's `places`
    x: float | str
    #: in the chart's unit; None if the case failed
    y: float | None
    basis: Basis
    #: how a case that failed ended
    outcome: str = ""
    #: the lowest and the highest of several launches, or the 95% interval of what was not measured
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bound:
    """A published value beside a result: a number, or the ends of a range, of which either may be open."""

    x: float | str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """A straight line across a numeric axis."""

    label: str
    slope: float
    intercept: float
    published: bool


@dataclass(frozen=True)
class Series:
    """The marks of one kind of case, or the published values of one source."""

    name: str
    marks: Sequence[Mark] = ()
    bounds: Sequence[Bound] = ()


@dataclass(frozen=True)
class Chart:
    """A chart of one metric over one axis of an experiment."""

    #: for a file's name
    name: str
    title: str
    x_label: str
    y_label: str
    #: on an axis of names: these, in order; None: the axis is numeric
    places: Sequence[str] | None
    series: Sequence[Series]
    published: Sequence[Series]
    lines: Sequence[Line]


def charts(results: Results, metric: str = "train_runtime") -> list[Chart]:
    """A chart an experiment, for those of which any case has a result that can be shown."""
    titles = results.run.get("experiments", {})
    found = [
        _chart(name, titles.get(name, {}).get("title") or name, group, results, metric)
        for name, group in by_experiment(told_apart(results.by_case(), results.run)).items()
    ]
    return [chart for chart in found if any(series.marks for series in chart.series)]


def _chart(name: str, title: str, group: Sequence[Result], results: Results, metric: str) -> Chart:
    along = _along(group)
    numeric = along is not None and _is_numeric(group, along)
    scale, unit = _unit(group, metric)
    places = _places(group, along)
    spots = {result.case: result.axes[along] if numeric and along else place for result, place in places}
    series = list(_series(group, along, spots, metric, scale))
    return Chart(
        name=name,
        title=one_line(title),
        x_label=one_line(along or "case"),
        y_label=f"{METRICS[metric].label} ({unit})" if unit else METRICS[metric].label,
        places=None if numeric else list(dict.fromkeys(place for _, place in places)),
        series=series,
        published=list(_published(name, spots, results, metric, scale)),
        lines=[*_fitted(series), *_published_lines(name, along, results, metric, scale)] if numeric else [],
    )


def _along(group: Sequence[Result]) -> str | None:
    """The axis to draw along: the first numeric one that varies, else the first that varies, else the first."""
    paths = axis_paths(group)
    varying = [path for path in paths if len({field_text(each.axes.get(path)) for each in group}) > 1]
    numeric = [path for path in varying if _is_numeric(group, path)]
    return next(iter([*numeric, *varying, *paths]), None)


def _is_numeric(group: Sequence[Result], path: str) -> bool:
    values = [result.axes.get(path) for result in group]
    return len(set(map(str, values))) > 1 and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _places(group: Sequence[Result], along: str | None) -> list[tuple[Result, str]]:
    if along is None:
        return [(result, result.case) for result in group]
    return list(zip(group, map(one_line, axis_texts([result.axes.get(along) for result in group])), strict=True))


def _series(
    group: Sequence[Result], along: str | None, spots: Mapping[str, Any], metric: str, scale: float
) -> Iterator[Series]:
    """The cases by the values of all other axes."""
    others = [path for path in axis_paths(group) if path != along]
    found: dict[str, list[Mark]] = {}
    for result in group:
        name = ", ".join(f"{path.split('.')[-1]} {field_text(result.axes.get(path))}" for path in others)
        if (mark := _mark(result, spots[result.case], metric, scale)) is not None:
            found.setdefault(one_line(name), []).append(mark)
    for name, marks in found.items():
        yield Series(name, sorted(marks, key=lambda mark: mark.x) if _sortable(marks) else marks)


def _sortable(marks: Sequence[Mark]) -> bool:
    return all(isinstance(mark.x, int | float) for mark in marks)


def _mark(result: Result, x: Any, metric: str, scale: float) -> Mark | None:
    if metric in result.numbers:
        basis: Any = result.basis.get(metric, "measured")
        return Mark(x, result.numbers[metric] / scale, basis, ends=_ends(result, metric, scale))
    return Mark(x, None, "failed", result.outcome) if result.outcome != "ok" else None


def _ends(result: Result, metric: str, scale: float) -> tuple[float, float] | None:
    known = result.intervals.get(metric) if metric in result.basis else None
    found = result.range(metric) if isinstance(result, Launches) else known
    return (found[0] / scale, found[1] / scale) if found and found[0] != found[1] else None


def _published(
    experiment: str, spots: Mapping[str, Any], results: Results, metric: str, scale: float
) -> Iterator[Series]:
    """The published values of cases that have a result, by source; what cannot be compared is left out."""
    found: dict[str, list[Bound]] = {}
    for verdict in results.verdicts:
        if _is_of(verdict, experiment, metric) and verdict["case"] in spots and verdict["kind"] in _ENDS:
            low, high = _ENDS[verdict["kind"]](verdict["published"])
            ends = (end and end / scale for end in (low, high))
            found.setdefault(_source(verdict), []).append(Bound(spots[verdict["case"]], *ends))
    for name, bounds in found.items():
        yield Series(name, bounds=bounds)


_ENDS: Mapping[str, Any] = {
    "value": lambda value: (value, value),
    "below": lambda value: (None, value),
    "above": lambda value: (value, None),
    "between": tuple,
}


def _is_of(verdict: Verdict, experiment: str, metric: str) -> bool:
    return bool(
        verdict["experiment"] == experiment
        and verdict["metric"] == metric
        and verdict["verdict"] not in ("not comparable", "not run")
    )


def _fitted(series: Sequence[Series]) -> Iterator[Line]:
    """The straight line through the measured marks of each series, of at least three."""
    for each in series:
        measured = [(float(mark.x), mark.y) for mark in each.marks if mark.y is not None and mark.basis == "measured"]
        line = fit_line(measured)
        if line is not None and line.points > 2:
            label = f"fitted line{f' of {each.name}' if each.name else ''}, R² {line.r_squared:.4f}"
            yield Line(label, line.slope, line.intercept, published=False)


def _published_lines(experiment: str, along: str | None, results: Results, metric: str, scale: float) -> Iterator[Line]:
    """Published slopes; no intercept was published with them, so they start at the origin."""
    for verdict in results.verdicts:
        if _is_of(verdict, experiment, metric) and verdict["kind"] == "slope" and list(verdict["per"]) == [along]:
            (amount,) = verdict["per"].values()
            label = f"published slope, from the origin: {_source(verdict)}"
            yield Line(label, verdict["published"] / amount / scale, 0.0, published=True)


def _source(verdict: Verdict) -> str:
    machine = f" (on {verdict['hardware']})" if verdict["hardware"] else ""
    return one_line(f"{verdict['source']}{machine}")


def _unit(group: Sequence[Result], metric: str) -> tuple[float, str]:
    """The unit in which the largest number is easy to read, and how many of the metric's own it is."""
    largest = max((result.numbers[metric] for result in group if metric in result.numbers), default=0.0)
    unit = METRICS[metric].unit
    known = _UNITS.get(unit, ((1.0, unit),))
    return next(((factor, name) for factor, name in reversed(known) if largest >= 2 * factor), known[0])


_UNITS: Mapping[str, Sequence[tuple[float, str]]] = {
    "s": ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d")),
    "bytes": ((1.0, "B"), (2.0**20, "MiB"), (2.0**30, "GiB")),
    "fraction": ((0.01, "%"),),
}
