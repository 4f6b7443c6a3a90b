"""Results as comma-separated values, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchspec import Plugin, Reporter, hookimpl
from benchspec.results.reduce import METRICS
from benchspec.results.results import Result, Results


class Csv(Reporter):
    """One row a case, every number as it is in its metric's unit.

    Columns: `experiment`, `case` and `attempt`; the axes by dotted path; `outcome`, `phase`, `rank` and `reason`; every
    metric that any case has, by id; `basis:METRIC`, where a number was not measured; of a published value
    `published:METRIC` (`900`, `<600`, `>600`, `900..1080`), `ratio:METRIC` (measured / published) or `met:METRIC`,
    `source:METRIC` and `hardware:METRIC`, of a published outcome the same with `outcome` as the METRIC, of a second one
    of the same case and metric the same with `:2` at the end; `machine`. Columns without any value are left out, but
    for the first three and the four from `outcome` on.
    """

    name = "csv"
    suffix = ".csv"

    def render(self, results: Results) -> str:
        rows = [_row(result, results.run) for result in results]
        stream = io.StringIO()
        columns = _columns(results, rows)
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()


Row = dict[str, Any]
_FIRST = ("experiment", "case", "attempt")
_ENDING = ("outcome", "phase", "rank", "reason")
#: what is told of a published value
_PUBLISHED = ("published", "ratio", "met", "source", "hardware")


def _columns(results: Results, rows: Sequence[Row]) -> list[str]:
    """Every column in its place; what was published is kept together by metric."""
    told = dict.fromkeys(key for row in rows for key in row)
    metrics = [metric for metric in METRICS if metric in told]
    bases = [f"basis:{metric}" for metric in METRICS if f"basis:{metric}" in told]
    published = [key.removeprefix("published") for key in told if key.startswith("published:")]
    beside = [part + of for of in published for part in _PUBLISHED if part + of in told]
    machine = ["machine"] if "machine" in told else []
    from benchspec_plugins.reporters.rows import axis_paths

    return [*_FIRST, *axis_paths(results), *_ENDING, *metrics, *bases, *beside, *machine]


def _row(result: Result, run: Mapping[str, Any]) -> Row:
    row: Row = {key: getattr(result, key) for key in (*_FIRST, *_ENDING)}
    row |= {path: _plain(value) for path, value in result.axes.items()}
    row |= result.metrics
    row |= {f"basis:{metric}": basis for metric, basis in result.basis.items()}
    row |= _references(result)
    return row | ({"machine": run["machine_line"]} if run.get("machine_line") else {})


def _plain(value: Any) -> Any:
    """A value of a case's field: text and numbers as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _references(result: Result) -> Row:
    row: Row = {}
    seen: Counter[str] = Counter()
    for reference in result.references:
        of = "outcome" if "outcome" in reference else reference["metric"]
        seen[of] += 1
        ending = f":{of}" + (f":{seen[of]}" if seen[of] > 1 else "")
        told = {"published": _published(reference), **reference}
        row |= {part + ending: _shown(told[part]) for part in _PUBLISHED if told.get(part) is not None}
    return row


def _shown(value: Any) -> Any:
    return _plain(value) if isinstance(value, bool) else value


def _published(reference: Mapping[str, Any]) -> str:
    if "outcome" in reference:
        return str(reference["outcome"])
    if "between" in reference:
        return "..".join(map(str, reference["between"]))
    from benchspec_plugins.reporters.cells import SIGNS

    kind = next(kind for kind in SIGNS if kind in reference)
    return f"{SIGNS[kind].strip()}{reference[kind]}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Csv]
