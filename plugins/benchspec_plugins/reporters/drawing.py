"""Charts, and the steps of a case, drawn with matplotlib: as SVG whose text stays text, and as PNG.

Series differ in marker and hatch, not in colour alone, so that they can be told apart in grey and in print. A measured
number is filled, a projected or predicted one hollow, a published one a diamond, a case that failed a cross.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

from benchspec.reports.style import COLOURS, FAINT, HATCHES, INK, MARKERS, SETTINGS, legend, titled
from benchspec.terms.harmless import clipped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchspec.reports import Chart
    from benchspec.reports.charts import Bound, Line, Mark, Series

#: characters of a name at an axis
LONGEST = 48


def drawn(chart: Chart, *, logarithmic: bool = False) -> Figure:
    """A chart as a figure; `logarithmic` draws both axes in powers of ten."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = titled(chart.title)
        axes = figure.subplots()
        if chart.places is None:
            _draw_numeric(axes, chart, logarithmic)
        else:
            _draw_bars(axes, chart, chart.places)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        if not logarithmic:
            axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=FAINT, alpha=0.35, linewidth=0.6)
        axes.set_axisbelow(True)
        legend(figure, axes)
    return figure


def drawn_steps(title: str, steps: Sequence[Mapping[str, Any]]) -> Figure:
    """The loss and the time of each step of a case, one above the other."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = titled(title, (6.4, 4.2))
        losses, times = figure.subplots(2, 1, sharex=True)
        for axes, key, label in ((losses, "loss", "loss (nats/token)"), (times, "seconds", "step time (s)")):
            shown = [(step["step"], step[key]) for step in steps if step[key] is not None]
            axes.plot(*zip(*shown, strict=True) if shown else ((), ()), color=COLOURS[0], linewidth=1, marker=".", ms=3)
            axes.set_ylabel(label)
            axes.grid(color=FAINT, alpha=0.35, linewidth=0.6)
        times.set_ylim(bottom=0)
        times.set_xlabel("optimizer step")
        times.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _draw_numeric(axes: Axes, chart: Chart, logarithmic: bool) -> None:
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    for number, series in enumerate(chart.series):
        _draw_points(axes, series, number)
    for number, series in enumerate(chart.published):
        _draw_published(axes, series, number, lambda bound: float(bound.x))
    xs = [float(mark.x) for series in chart.series for mark in series.marks]
    for line in chart.lines:
        _draw_line(axes, line, min(xs) if logarithmic else 0.0, max(xs))
    for axis, largest in ((axes.xaxis, max(xs)), (axes.yaxis, 0.0)):
        axis.set_major_formatter(partial(_tick, largest))
    if logarithmic:
        # Only powers of ten have labels, of which a short axis may have none.
        for axis in (axes.xaxis, axes.yaxis):
            low, high = axis.get_view_interval()
            axis.set_minor_formatter(partial(_tick, high) if high / low < 10 else lambda *_: "")
    else:
        axes.set_xlim(left=0)


def _tick(largest: float, value: float, _: object = None) -> str:
    """A number at an axis, in millions or thousands where the largest has many digits."""
    if largest >= 1e6 and value >= 1e6:
        return f"{value / 1e6:g}M"
    if largest >= 1e6 and value >= 1e3:
        return f"{value / 1e3:g}k"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def _draw_points(axes: Axes, series: Series, number: int) -> None:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    for basis in dict.fromkeys(mark.basis for mark in series.marks):
        marks = [mark for mark in series.marks if mark.basis == basis]
        label = ", ".join(filter(None, (series.name, _named(basis, marks))))
        if basis == "failed":
            places = [(float(mark.x), 0.02) for mark in marks]
            kept = axes.get_xaxis_transform()
            axes.plot(*zip(*places, strict=True), "x", color=INK, ms=9, label=label, transform=kept, clip_on=False)
            continue
        face = colour if basis == "measured" else "white"
        points = [(float(mark.x), mark.y) for mark in marks]
        axes.plot(*zip(*points, strict=True), marker, mfc=face, mec=colour, ms=7, label=label, linestyle="none")
        for mark in marks:
            _draw_ends(axes, mark, float(mark.x))


def _named(basis: str, marks: Sequence[Mark]) -> str:
    """What a mark is, for the legend."""
    return " or ".join(dict.fromkeys(mark.outcome for mark in marks)) if basis == "failed" else basis


def _draw_line(axes: Axes, line: Line, first: float, last: float) -> None:
    xs = [first + (last - first) * share / 100 for share in range(101)]
    ys = [line.intercept + line.slope * x for x in xs]
    style = ":" if line.published else "--"
    axes.plot(xs, ys, style, color=INK, linewidth=1.2, label=line.label, zorder=1)


def _draw_bars(axes: Axes, chart: Chart, places: Sequence[str]) -> None:
    width = 0.8 / max(1, len(chart.series))
    for number, series in enumerate(chart.series):
        shift = (number - (len(chart.series) - 1) / 2) * width
        _draw_series_of_bars(axes, series, number, [places.index(str(mark.x)) + shift for mark in series.marks], width)
    for number, series in enumerate(chart.published):
        _draw_published(axes, series, number, lambda bound: float(places.index(str(bound.x))))
    axes.set_xticks(range(len(places)), [_broken(place) for place in places], **_slanted(places))
    axes.set_xlim(-0.6, len(places) - 0.4)


def _slanted(places: Sequence[str]) -> dict[str, Any]:
    """Long names lean, so that they do not touch."""
    return {"rotation": 30, "ha": "right"} if sum(map(len, places)) > 60 else {}


def _broken(place: str) -> str:
    """A name in lines short enough to stand beside others."""
    return fill(clipped(place, LONGEST), 24)


def _draw_series_of_bars(axes: Axes, series: Series, number: int, xs: Sequence[float], width: float) -> None:
    colour, hatch = COLOURS[number % len(COLOURS)], HATCHES[number % len(HATCHES)]
    labelled: set[str] = set()
    for mark, x in zip(series.marks, xs, strict=True):
        name = ", ".join(filter(None, (series.name, _named(mark.basis, [mark]))))
        label = None if name in labelled else name
        labelled.add(name)
        if mark.y is None:
            axes.text(x, 0.045, _words(mark.outcome), ha="center", va="bottom", transform=axes.get_xaxis_transform())
            axes.plot([x], [0.01], "x", color=INK, ms=8, label=label, transform=axes.get_xaxis_transform())
            continue
        hollow = mark.basis != "measured"
        axes.bar(
            x, mark.y, width * 0.92, label=label, hatch=hatch, edgecolor=colour if hollow else INK,
            facecolor="white" if hollow else colour, linestyle="--" if hollow else "-", linewidth=0.8, zorder=2,
        )  # fmt: skip
        _draw_ends(axes, mark, x)


def _draw_ends(axes: Axes, mark: Mark, x: float) -> None:
    """A thin line with ends, from the lowest to the highest."""
    if mark.ends:
        axes.plot([x, x], mark.ends, "-_", color=INK, linewidth=1, ms=6, mew=1, zorder=3)


def _words(outcome: str) -> str:
    return {"oom": "out of\nmemory", "host-oom": "out of\nhost memory"}.get(outcome, outcome)


def _draw_published(axes: Axes, series: Series, number: int, place: Callable[[Bound], float]) -> None:
    """Diamonds for values, bars with ends for ranges, a line with an arrow for bounds."""
    marker = ("D", "d", "p", "h")[number % 4]
    for kind in dict.fromkeys(map(_kind, series.bounds)):
        label: str | None = f"published {kind}: {series.name}"
        for bound in (bound for bound in series.bounds if _kind(bound) == kind):
            _draw_bound(axes, bound, place(bound), marker, label)
            label = None


def _kind(bound: Bound) -> str:
    if bound.low is None or bound.high is None:
        return "upper bound" if bound.low is None else "lower bound"
    return "value" if bound.low == bound.high else "range"


def _draw_bound(axes: Axes, bound: Bound, x: float, marker: str, label: str | None) -> None:
    style: dict[str, Any] = {"color": INK, "mew": 1.6, "zorder": 4, "label": label}
    low, high = bound.low, bound.high
    if low is not None and high is not None and low != high:
        axes.plot([x, x], [low, high], "-_", ms=12, **style)
    elif low is not None and high is not None:
        axes.plot([x], [low], marker, ms=8, linestyle="none", **{**style, "mfc": "white"})
    else:
        end = float((high if low is None else low) or 0)
        arrow, side = ("↓", "top") if low is None else ("↑", "bottom")
        axes.plot([x], [end], "_", ms=16, linestyle="none", **style)
        axes.annotate(arrow, (x, end), ha="center", va=side, zorder=4)


def file_name(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.")[:120] or "chart"
