"""Results as comma-separated values, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from benchspec.results import Result, Results

#: column -> value
Row = dict[str, Any]
_FIRST = ("experiment", "case", "attempt")
_ENDING = ("outcome", "phase", "rank", "reason")
#: the columns of a published value, each followed by `:METRIC`
_PUBLISHED = ("published", "ratio", "met", "source", "hardware")
#: the prefix of a published number that is a bound
_SIGNS = {"below": "<", "above": ">"}


class Csv(Reporter):
    """One row per case; numbers are unrounded, in their metric's unit.

    The columns, in order: `experiment`, `case`, `attempt`; each axis by its dotted path; `outcome`, `phase`, `rank`,
    `reason`; each metric by its id; `basis:METRIC` for numbers that were not measured; for a published value
    `published:METRIC` (`900`, `<600`, `>600`, `600..720`), `ratio:METRIC` (measured / published) or `met:METRIC`,
    `source:METRIC` and `hardware:METRIC`; `machine`. A published outcome has `outcome` instead of METRIC; a
    second published value of the same case and metric has `:2` appended. Columns without any value are left out,
    except the first three and `outcome`, `phase`, `rank`, `reason`.
    """

    name = "csv"
    suffix = ".csv"

    def render(self, results: Results) -> str:
        from benchspec.reports import axis_paths, verdicts_by_case

        verdicts, machine = verdicts_by_case(results), _machine(results.run)
        rows = [
            _row(result, verdicts.get((result.experiment, result.case), ()), {"machine": machine} if machine else {})
            for result in results
        ]
        stream = io.StringIO()
        columns = _columns(axis_paths(results), rows)
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()


def _machine(run: Mapping[str, Any]) -> str:
    """The machine, and what MFU and cost use if it is not the one that the spec names."""
    other = run.get("other_figures")
    return "; ".join(filter(None, (run.get("machine_line"), other and f"MFU and cost use {other}")))


def _columns(axes: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Every column, in order; the columns of published values are grouped by metric."""
    from benchspec.results import METRICS

    used = dict.fromkeys(key for row in rows for key in row)
    metrics = [metric for metric in METRICS if metric in used]
    bases = [f"basis:{metric}" for metric in METRICS if f"basis:{metric}" in used]
    suffixes = [key.removeprefix("published") for key in used if key.startswith("published:")]
    published = [column + suffix for suffix in suffixes for column in _PUBLISHED if column + suffix in used]
    machine = ["machine"] if "machine" in used else []
    return [*_FIRST, *axes, *_ENDING, *metrics, *bases, *published, *machine]


def _row(result: Result, verdicts: Iterable[Mapping[str, Any]], machine: Row) -> Row:
    row: Row = {key: getattr(result, key) for key in (*_FIRST, *_ENDING)}
    row |= {path: _plain(value) for path, value in result.axes.items()}
    row |= result.metrics
    row |= {f"basis:{metric}": basis for metric, basis in result.basis.items()}
    return row | _published(verdicts) | machine


def _plain(value: Any) -> Any:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _published(verdicts: Iterable[Mapping[str, Any]]) -> Row:
    row: Row = {}
    seen: Counter[str] = Counter()
    for verdict in verdicts:
        metric = "outcome" if verdict["kind"] == "outcome" else verdict["metric"]
        seen[metric] += 1
        suffix = f":{metric}" + (f":{seen[metric]}" if seen[metric] > 1 else "")
        values = {**verdict, "published": _published_text(verdict)}
        row |= {column + suffix: _cell(values[column]) for column in _PUBLISHED if values[column] is not None}
    return row


def _cell(value: Any) -> Any:
    return _plain(value) if isinstance(value, bool) else value


def _published_text(verdict: Mapping[str, Any]) -> str:
    if verdict["kind"] == "between":
        return "..".join(map(str, verdict["published"]))
    return f"{_SIGNS.get(verdict['kind'], '')}{verdict['published']}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Csv]
