"""What a value of a result looks like to a reader: in a table's cell, or in a line beneath."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchspec.results.reduce import METRICS
from benchspec.terms.units import duration_text

#: what is not known
ABSENT = "–"


def metric_text(metric: str, value: float) -> str:
    """A number in words that suit its metric's unit: `15 min 3 s`, `40.5 GiB`, `10.4%`."""
    return _BY_UNIT.get(METRICS[metric].unit, number_text)(value)


def number_text(value: float) -> str:
    """A whole number, or three digits or more that mean something: `13,294`, `21.3`, `0.0417`."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _scaled(steps: float, units: Sequence[str]) -> Callable[[float], str]:
    """Numbers with the largest of the units, each `steps` times the one before, that leaves 1 or more."""

    def text(value: float) -> str:
        power = 0
        while abs(value) >= steps and power < len(units) - 1:
            value, power = value / steps, power + 1
        return f"{number_text(value)} {units[power]}"

    return text


_BY_UNIT: Mapping[str, Callable[[float], str]] = {
    "s": duration_text,
    "bytes": _scaled(1024, ("B", "KiB", "MiB", "GiB", "TiB")),
    "J": _scaled(1000, ("J", "kJ", "MJ", "GJ")),
    "fraction": lambda value: f"{100 * value:.3g}%",
    "nats/token": lambda value: f"{value:.3f}",
    "currency of the price": lambda value: f"{value:,.2f}",
}


def plain_text(value: Any, tell: Iterable[str] | None = None) -> str:
    """A value of a case's field; of a plugin its name and the options in `tell`, all of them by default."""
    if isinstance(value, Mapping):
        return _mapping_text(value, value if tell is None else tell)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else json.dumps(value, ensure_ascii=False).replace("e-0", "e-")


def _mapping_text(value: Mapping[str, Any], tell: Iterable[str]) -> str:
    options = [f"{key}={plain_text(value[key])}" for key in value if key in set(tell) and key != "name"]
    return " ".join([str(value["name"]), *options] if "name" in value else options)


def axis_texts(values: Sequence[Any]) -> list[str]:
    """An axis's values; of plugins of one name only the options are told that tell them apart."""
    return [plain_text(value, _distinguishing(value, values)) for value in values]


def _distinguishing(value: Any, others: Sequence[Any]) -> list[str] | None:
    if not isinstance(value, Mapping) or "name" not in value:
        return None
    alike = [{"name": other} if isinstance(other, str) else other for other in others]
    alike = [other for other in alike if isinstance(other, Mapping) and other.get("name") == value["name"]]
    return [key for key in value if any(key not in other or other[key] != value[key] for other in alike)]


def published_text(reference: Mapping[str, Any]) -> str:
    """A published value: `15 min`, `< 10 min`, `10 min to 12 min`, `oom`."""
    if "outcome" in reference:
        return str(reference["outcome"])
    metric = reference["metric"]
    if "between" in reference:
        return " to ".join(metric_text(metric, bound) for bound in reference["between"])
    kind, sign = next((kind, sign) for kind, sign in SIGNS.items() if kind in reference)
    return sign + metric_text(metric, reference[kind])


#: what stands before a published number
SIGNS = {"value": "", "below": "< ", "above": "> "}


def verdict_text(reference: Mapping[str, Any]) -> str:
    """How the measured stands to it: `0.93×`, `met`, `not met`."""
    if "met" in reference:
        return {True: "met", False: "not met", None: ABSENT}[reference["met"]]
    return ABSENT if reference["ratio"] is None else ratio_text(reference["ratio"])


def ratio_text(ratio: float) -> str:
    if abs(ratio) >= 10:
        return f"{ratio:,.0f}×"
    return f"{ratio:.2f}×" if abs(ratio) >= 0.1 else f"{ratio:.2g}×"


def one_line(text: str) -> str:
    """Text without what would move a terminal's cursor, and without line ends."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
