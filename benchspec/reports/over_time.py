"""A metric over many runs, as text and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchspec.reports.cells import metric_text
from benchspec.reports.compared import change_text_of, label_of
from benchspec.results.comparing.changes import LEAST_POINTS
from benchspec.results.comparing.history import Change, Point, Series
from benchspec.terms.errors import install
from benchspec.terms.harmless import brief, json_text, one_line
from benchspec.terms.metrics import METRICS
from benchspec.terms.strict import without_infinities

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: how many things that differ between two series are named
MOST_REASONS = 3
#: how many charts a figure has at most
MOST_CHARTS = 20
#: how many runs a chart shows with marks of the usual size
MANY_RUNS = 60


def as_table(series: Sequence[Series], metric: str) -> str:
    """A table a series, oldest run first, and what differs where it changes."""
    return "\n\n".join(_table(each, metric) for each in series)


def as_json(series: Sequence[Series], metric: str) -> str:
    """For other programs; docs/history.md describes it."""
    return json_text(without_infinities({"metric": metric, "series": [each.to_json() for each in series]}), indent=2)


def title(series: Series) -> str:
    """`sizes: model opt-6.7b, 8 processes, on 8 × NVIDIA H100`; at its end, whether it was not measured."""
    count = series.processes
    processes = "" if count is None else f", {count} process{'' if count == 1 else 'es'}"
    basis = f", {series.basis}" if series.basis else ""
    return one_line(f"{label_of(series.experiment, series.axes)}{processes}, on {series.machine}{basis}")


def _apart(series: Series) -> str:
    """Why it is a series of its own, if an earlier one has the same case: the first things that differ."""
    if not series.apart:
        return ""
    shown, more = series.apart[:MOST_REASONS], len(series.apart) - MOST_REASONS
    return brief(f"not comparable with an earlier series: {'; '.join(shown)}{f'; and {more} more' if more > 0 else ''}")


def _table(series: Series, metric: str) -> str:
    from tabulate import tabulate

    changes = {change.at: change for change in series.changes}
    rows = [_row(point, changes.get(number), metric, series.currency) for number, point in enumerate(series.points)]
    heads = ["measured (UTC)", "run", "commit", METRICS[metric].label, "range", "launches", "change"]
    table = tabulate(rows, heads, disable_numparse=True, colalign=["left"] * 3 + ["right"] * 4)
    notes = [_note(series, change) for change in series.changes]
    head = "\n".join(filter(None, (title(series), _apart(series))))
    return "\n\n".join(filter(None, (head, table, "\n".join(notes))))


def _row(point: Point, change: Change | None, metric: str, currency: str | None) -> list[str]:
    low, high = (metric_text(metric, end, currency) for end in (point.low, point.high))
    return [
        date_text(point.started),
        one_line(point.run),
        point.commit or "",
        metric_text(metric, point.value, currency),
        f"{low} to {high}" if point.launches > 1 else "",
        str(point.launches),
        change_text_of(change.ratio) if change else "",
    ]


def date_text(seconds: float) -> str:
    """`2026-11-26 09:05`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _note(series: Series, change: Change) -> str:
    found = "; ".join(map(brief, change.differences)) or "nothing that was recorded"
    before, after = (one_line(series.points[at].run) for at in (change.at - 1, change.at))
    return f"{change_text_of(change.ratio)} between {before} and {after}: what differs is {found}"


def remark(series: Sequence[Series], can_mark: bool) -> str | None:
    """Why no change could be marked; None if they could."""
    if not can_mark:
        return f"changes are not marked, because ruptures is not installed: {install('compare')}"
    if all(len(each.points) < LEAST_POINTS for each in series):
        return f"changes are marked from {LEAST_POINTS} runs on"
    return None


def charted(series: Sequence[Series]) -> Sequence[Series]:
    """The series that a figure has room for: all, or those with the most runs."""
    if len(series) <= MOST_CHARTS:
        return series
    return sorted(series, key=lambda each: len(each.points), reverse=True)[:MOST_CHARTS]


def drawn(series: Sequence[Series], metric: str) -> Figure:
    """A chart a series, one above the other: each run's median with the range of its launches, changes as lines."""
    import matplotlib

    from benchspec.reports.style import SETTINGS, titled

    with matplotlib.rc_context(SETTINGS):
        figure = titled(
            f"{METRICS[metric].label} over time: median and range of each run's launches",
            (7.6, 1.0 + 2.6 * len(series)),
        )
        for number, (each, axes) in enumerate(
            zip(series, figure.subplots(len(series), squeeze=False)[:, 0], strict=True)
        ):
            _draw(axes, each, metric, number)
    return figure


def _draw(axes: Any, series: Series, metric: str, number: int) -> None:
    from textwrap import fill

    from benchspec.reports.style import COLOURS, FAINT, INK, MARKERS

    unit = METRICS[metric].unit
    places = range(len(series.points))
    values = [point.value for point in series.points]
    below = [point.value - point.low for point in series.points]
    above = [point.high - point.value for point in series.points]
    style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    size = 1.0 if len(places) <= MANY_RUNS else 0.5
    axes.errorbar(
        places, values, yerr=[below, above], capsize=3 * size, linewidth=size, ms=5 * size, elinewidth=size, **style
    )
    for place, change in enumerate(series.changes):
        axes.axvline(change.at - 0.5, color=INK, linestyle="--", linewidth=1)
        axes.annotate(
            change_text_of(change.ratio),
            # Texts of changes that are close together stand one above the other.
            (change.at - 0.5, 0.03 + 0.08 * (place % 3)),
            xytext=(4, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=9,
        )
    every = -(-len(places) // 8)
    labels = [f"{date_text(point.started)[:10]}\n{(point.commit or '')[:7]}" for point in series.points[::every]]
    axes.set_xticks(list(places)[::every], labels, fontsize=8)
    axes.set_title(fill(title(series), 100), fontsize=9, loc="left")
    axes.set_ylabel(f"{METRICS[metric].label}" + ("" if unit in METRICS[metric].label else f" ({unit})"))
    axes.set_ylim(*_limits(series))
    axes.grid(axis="y", color=FAINT, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)


def _limits(series: Series) -> tuple[float, float]:
    """The ends of the axis: around the points, but at least a tenth above and below, so that noise stays small."""
    low, high = min(point.low for point in series.points), max(point.high for point in series.points)
    margin = 0.05 * (high - low)
    return min(low - margin, 0.9 * series.points[-1].value), max(high + margin, 1.1 * series.points[-1].value)
