"""Values of results as short text, for the cells of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchspec.results.launches import Launches
from benchspec.results.result import Result
from benchspec.terms.metrics import METRICS
from benchspec.terms.units import duration_text

#: shown in place of an unknown value
ABSENT = "–"


def metric_text(metric: str, value: float, currency: str | None = None) -> str:
    """A number formatted for its metric's unit: `15 min 3 s`, `40.5 GiB`, `10.4%`; a cost in `currency`."""
    text = _BY_UNIT.get(METRICS[metric].unit, number_text)(value)
    return f"{text} {currency}" if currency and metric == "cost" else text


def measured_text(result: Result, metric: str) -> str:
    """A metric of a result as text; `~` marks a number that was not measured, `–` an unknown one.

    Of several launches, it is the median, with the range.
    """
    if metric not in result.numbers:
        return ABSENT
    text = basis_mark(result, metric) + metric_text(metric, result.numbers[metric], result.currency)
    return f"{text}{_range_text(result, metric)}" if isinstance(result, Launches) else text


def _range_text(result: Launches, metric: str) -> str:
    """` (13.1 to 13.9 s)`, the lowest and the highest of several launches; empty where they read alike."""
    low, high = (metric_text(metric, end, result.currency) for end in result.range(metric))
    # Of a duration such as `1 min 3 s`, the last part is not all of its unit.
    same_unit = low.count(" ") == high.count(" ") == 1 and low.split()[1] == high.split()[1]
    return "" if low == high else f" ({low.split()[0] if same_unit else low} to {high})"


def basis_mark(result: Result, metric: str) -> str:
    """`~` for a metric that was projected or predicted, empty for a measured one."""
    return "~" if metric in result.basis else ""


def number_text(value: float) -> str:
    """A whole number, or at least three significant digits: `13,294`, `21.3`, `0.0417`."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def ratio_text(ratio: float) -> str:
    """A ratio: `0.94×`, `12×`."""
    if abs(ratio) >= 10:
        return f"{ratio:,.0f}×"
    return f"{ratio:.2f}×" if abs(ratio) >= 0.1 else f"{ratio:.2g}×"


def _scaled(base: float, units: Sequence[str]) -> Callable[[float], str]:
    """A formatter that uses the largest unit in which a number is at least 1; `base` is the factor between units."""

    def text(value: float) -> str:
        power = 0
        while abs(value) >= base and power < len(units) - 1:
            value, power = value / base, power + 1
        return f"{number_text(value)} {units[power]}"

    return text


def _count_text(value: float) -> str:
    """A count; the median of several launches may be a half."""
    return f"{value:,.0f}" if float(value).is_integer() else number_text(value)


_BY_UNIT: Mapping[str, Callable[[float], str]] = {
    **dict.fromkeys(("steps", "rows", "words", "tokens", "parameters"), _count_text),
    "s": duration_text,
    "bytes": _scaled(1024, ("B", "KiB", "MiB", "GiB", "TiB")),
    "J": _scaled(1000, ("J", "kJ", "MJ", "GJ")),
    "fraction": lambda value: f"{100 * value:.3g}%",
    "nats/token": lambda value: f"{value:.3f}",
    "currency of the price": lambda value: f"{value:,.2f}",
}


def field_text(value: Any, options: Iterable[str] | None = None) -> str:
    """A value of a case's field; for a plugin its name and its options, or only those in `options`."""
    if isinstance(value, Mapping):
        return _mapping_text(value, value if options is None else options)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else json.dumps(value, ensure_ascii=False).replace("e-0", "e-")


def _mapping_text(value: Mapping[str, Any], options: Iterable[str]) -> str:
    shown = [f"{key}={field_text(value[key])}" for key in value if key in set(options) and key != "name"]
    return " ".join([str(value["name"]), *shown] if "name" in value else shown)


def axis_texts(values: Sequence[Any]) -> list[str]:
    """An axis's values as text; plugins of the same name are shown with the options that differ."""
    return [field_text(value, _distinguishing(value, values)) for value in values]


def _distinguishing(value: Any, others: Sequence[Any]) -> list[str] | None:
    if not isinstance(value, Mapping) or "name" not in value:
        return None
    alike = [{"name": other} if isinstance(other, str) else other for other in others]
    alike = [other for other in alike if isinstance(other, Mapping) and other.get("name") == value["name"]]
    return [key for key in value if any(key not in other or other[key] != value[key] for other in alike)]


_SIGNS: Mapping[str, str] = {"below": "< ", "above": "> "}
#: verdicts that say everything, because a line of the report gives the reasons
_BARE = ("not comparable",)


def published_text(verdict: Mapping[str, Any]) -> str:
    """The published value of a verdict: `15 min`, `< 10 min`, `10 min to 12 min`, `oom`, `a < b < c`, `linear`."""
    kind, metric, published = verdict["kind"], verdict["metric"], verdict["published"]
    if kind == "outcome":
        return str(published)
    if kind == "linear":
        return "linear"
    if kind == "ordering":
        return " < ".join(map(field_text, published))
    if kind == "between":
        return " to ".join(metric_text(metric, bound) for bound in published)
    return _SIGNS.get(kind, "") + metric_text(metric, published)


def measured_verdict_text(verdict: Mapping[str, Any]) -> str:
    """The measured side of a verdict: a number in its metric's unit, an outcome, an order, or R²."""
    kind, measured = verdict["kind"], verdict["measured"]
    if measured is None:
        return ABSENT
    if kind == "outcome":
        return str(measured)
    if kind == "linear":
        return f"R² {measured:.4f}"
    if kind == "ordering":
        return " < ".join(map(field_text, measured))
    return ("~" if verdict["basis"] else "") + metric_text(verdict["metric"], measured)


def verdict_text(verdict: Mapping[str, Any]) -> str:
    """A verdict with its words: `reproduced: within 10%`, `better: 3.1× faster`, `not run: oom`."""
    return str(verdict["verdict"]) if verdict["verdict"] in _BARE else f"{verdict['verdict']}: {verdict['words']}"
