"""Results as figures: SVG and PNG files in the run directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.terms.errors import PluginError
from benchspec.terms.metrics import METRICS

if TYPE_CHECKING:
    from benchspec.reports import Chart
    from benchspec.results import Results


class Figures(Reporter):
    """Charts of each experiment and of each case's steps, as `figures/*.svg` and `*.png`; nothing is printed.

    An experiment's chart shows a metric over its axis: bars over names, points with a fitted line over numbers (also
    with both axes in powers of ten, where they span more than one), groups where there are two axes. Published values
    stand beside the measured ones; cases that failed are marked.
    """

    name = "figures"
    printed = False
    options_schema = {
        "properties": {
            "metrics": {
                "description": "the metrics to draw, by their ids",
                "type": "array",
                "items": {"type": "string", "enum": list(METRICS)},
                "default": ["train_runtime"],
            },
            "steps": {"description": "whether to draw each case's steps", "type": "boolean", "default": True},
        }
    }

    def missing(self, online: bool) -> Sequence[str]:
        return lacking()

    def render(self, results: Results) -> str:
        return ""

    def files(self, results: Results) -> Mapping[str, bytes]:
        check()
        found = dict(self._charts(results))
        return found | (dict(_steps(results)) if self.options["steps"] else {})

    def _charts(self, results: Results) -> Iterator[tuple[str, bytes]]:
        from benchspec.reports import charts
        from benchspec.reports.style import rendered
        from benchspec_plugins.reporters.drawing import drawn, file_name

        for metric in self.options["metrics"]:
            more = "" if metric == "train_runtime" else f"-{metric}"
            for chart in charts(results, metric):
                name = f"figures/{file_name(chart.name)}{more}"
                for suffix, content in rendered(drawn(chart)).items():
                    yield f"{name}.{suffix}", content
                if spans_decades(chart):
                    for suffix, content in rendered(drawn(chart, logarithmic=True)).items():
                        yield f"{name}-log.{suffix}", content


def lacking() -> list[str]:
    """What is not installed of what figures and pages need, and how to install it."""
    absent = [name for name in ("matplotlib", "jinja2") if find_spec(name) is None]
    remedy = "in benchspec's checkout, run pip install -e '.[figures]'"
    return [f"{' and '.join(absent)} not installed; {remedy}"] if absent else []


def check() -> None:
    """Raise `PluginError` if anything is not installed."""
    if absent := lacking():
        raise PluginError(absent[0])


def spans_decades(chart: Chart) -> bool:
    """Whether a numeric axis covers more than a power of ten, with positive numbers on both axes."""
    if chart.places is not None:
        return False
    points = [(float(mark.x), mark.y) for series in chart.series for mark in series.marks if mark.y is not None]
    if len(points) < 2 or min(min(x, y) for x, y in points) <= 0:
        return False
    xs = [x for x, _ in points]
    return max(xs) / min(xs) >= 10


def _steps(results: Results) -> Iterator[tuple[str, bytes]]:
    from benchspec.reports.style import rendered
    from benchspec_plugins.reporters.drawing import drawn_steps, file_name

    for result in results:
        if steps := results.steps(result):
            more = f"-launch-{result.launch}" if result.launch > 1 else ""
            figure = drawn_steps(f"{result.full_name}{more}", steps)
            for suffix, content in rendered(figure).items():
                yield f"figures/steps/{file_name(result.experiment)}/{file_name(result.case)}{more}.{suffix}", content


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Figures]
