"""Results as flat rows, for spreadsheets and data frames."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchspec.results.result import Result
from benchspec.results.verdicts import Verdict, by_case
from benchspec.terms.metrics import METRICS

#: column -> value
Row = dict[str, Any]
#: the columns that every row has: before the axes, and behind them
FIRST = ("experiment", "case", "attempt", "launch")
ENDING = ("outcome", "phase", "rank", "reason")
#: the columns of a published value, each followed by `:METRIC`
_PUBLISHED = ("published", "ratio", "verdict", "source", "hardware")
#: the prefix of a published number that is a bound
_SIGNS = {"below": "<", "above": ">"}


def rows(results: Iterable[Result], verdicts: Iterable[Verdict], run: Mapping[str, Any]) -> list[Row]:
    """A row per launch, all with the same columns in the same order; None where there is no value.

    A published value stands in the row of its case's first launch: with several launches, their median is judged.

    `run` is the content of run.json.
    """
    published = by_case(verdicts)
    machine = _machine(run)
    found = [_row(result, published.pop(result.key, ()), machine) for result in results]
    columns = _columns(found)
    return [{column: row.get(column) for column in columns} for row in found]


def axis_value(value: Any) -> Any:
    """A value of an axis: text, number, boolean or None as it is, a plugin with its options as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else value


def _machine(run: Mapping[str, Any]) -> str:
    """The machine, and what MFU and cost use if it is not the one that the spec names."""
    other = run.get("other_figures")
    return "; ".join(filter(None, (run.get("machine_line"), other and f"MFU and cost use {other}")))


def _row(result: Result, verdicts: Iterable[Verdict], machine: str) -> Row:
    row: Row = {key: getattr(result, key) for key in FIRST}
    row |= {path: axis_value(value) for path, value in result.axes.items()}
    row |= {key: getattr(result, key) for key in ENDING}
    row |= result.numbers
    row |= {"currency": result.currency} if result.currency and "cost" in result.numbers else {}
    for metric, basis in result.basis.items():
        if metric in result.numbers:
            ends = zip(("low", "high"), result.intervals.get(metric, ()), strict=False)
            row |= {f"basis:{metric}": basis, **{f"{end}:{metric}": value for end, value in ends}}
    return row | _published(verdicts) | ({"machine": machine} if machine else {})


def _columns(found: Sequence[Row]) -> list[str]:
    """Every column, in order; the columns of published values are grouped by metric."""
    used = dict.fromkeys(key for row in found for key in row)
    metrics = [metric for metric in METRICS if metric in used]
    currency = ["currency"] if "currency" in used else []
    bases = [name for metric in METRICS for part in _BASES if (name := f"{part}:{metric}") in used]
    suffixes = [key.removeprefix("published") for key in used if key.startswith("published:")]
    published = [column + suffix for suffix in suffixes for column in _PUBLISHED if column + suffix in used]
    machine = ["machine"] if "machine" in used else []
    later = [*ENDING, *metrics, *currency, *bases, *published, *machine]
    axes = [key for key in used if key not in {*FIRST, *later}]
    return [*FIRST, *axes, *later]


#: of a metric that was not measured: how it was obtained, and the ends of its 95% interval
_BASES = ("basis", "low", "high")


def _published(verdicts: Iterable[Verdict]) -> Row:
    row: Row = {}
    seen: Counter[str] = Counter()
    for verdict in verdicts:
        metric = "outcome" if verdict["kind"] == "outcome" else verdict["metric"]
        seen[metric] += 1
        suffix = f":{metric}" + (f":{seen[metric]}" if seen[metric] > 1 else "")
        values = {**verdict, "published": _value(verdict)}
        row |= {column + suffix: values[column] for column in _PUBLISHED if values[column] is not None}
    return row


def _value(verdict: Verdict) -> Any:
    """A published value: the number or the outcome; a bound or a range as text."""
    if verdict["kind"] == "between":
        return "..".join(map(str, verdict["published"]))
    sign = _SIGNS.get(verdict["kind"])
    return f"{sign}{verdict['published']}" if sign else verdict["published"]
