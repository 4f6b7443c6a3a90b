"""Results as a notebook shows them: HTML tables, headed by the names that `rows()` and `metrics` have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchspec.terms.harmless import brief, one_line
from benchspec.terms.metrics import SHOWN

if TYPE_CHECKING:
    from benchspec.results.result import Result
    from benchspec.results.results import Results


def results_html(results: Results) -> str:
    """A table with a row per launch of a case: its axes, its outcome, and the metrics that a report has columns for."""
    rows = results.rows()
    units = {metric: unit for result in results for metric, unit in result.units.items()}
    first = ["experiment"] * (len({result.experiment for result in results}) > 1) + ["case"]
    first += ["launch"] * (len({result.launch for result in results}) > 1)
    axes = list(dict.fromkeys(path for result in results for path in result.axes))
    metrics = [metric for metric in SHOWN if rows and metric in rows[0]]
    columns = [*first, *axes, "outcome", *metrics]
    headings = [f"{column} ({units[column]})" if column in metrics else column for column in columns]
    cells = [[_text(row[column]) for column in columns] for row in rows]
    return _table(headings, cells, numbers=len(metrics), caption=repr(results))


def result_html(result: Result) -> str:
    """A table with a row for each thing that is known of a case: its axes, how it ended, and its metrics."""
    ending = {"outcome": result.outcome, "phase": result.phase, "rank": result.rank, "reason": result.reason}
    known = {**result.axes, **{key: value for key, value in ending.items() if value is not None}}
    rows = [[key, _text(value), ""] for key, value in known.items()]
    rows += [[metric, _text(value), result.units[metric]] for metric, value in result.numbers.items()]
    return _table([result.full_name, "", "unit"], rows)


def number_text(value: float) -> str:
    """A number with four digits, or all before the point: `0.04172`, `13,294`."""
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else brief(str(value))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0, caption: str = "") -> str:
    """An HTML table, every text escaped; its last columns are `numbers`, aligned to the right."""
    from html import escape

    from tabulate import tabulate

    aligned = ["left"] * (len(headings) - numbers) + ["right"] * numbers
    plain = [[one_line(cell) for cell in row] for row in rows]
    table = tabulate(
        plain, [one_line(heading) for heading in headings], tablefmt="html", disable_numparse=True,
        colalign=aligned if rows else None,
    )  # fmt: skip
    return f"<p>{escape(caption)}</p>\n{table}" if caption else str(table)
