"""A measured number beside a published one: a verdict, and the words for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchspec.terms.metrics import METRICS

#: metrics in the conditions of a published value agree within this share
AGREES = 0.005
#: unit -> the words for less and for more of it; a time's and a rate's are in times, all others in percent
_TIMES: Mapping[str, tuple[str, str]] = {"s": ("faster", "slower")}
_RATES = ("rows/s", "tokens/s")
_SHARES: Mapping[str, tuple[str, str]] = {
    "bytes": ("less memory", "more memory"),
    "J": ("less energy", "more energy"),
    "nats/token": ("lower", "higher"),
}


def beside(statement: Mapping[str, Any], measured: float) -> tuple[str, str, float | None]:
    """The verdict on a value, a bound or a range, its words, and measured / published, for a value alone."""
    kind, published = statement["kind"], statement["published"]
    if kind == "value":
        ratio = measured / published if published else None
        bound, holds = published, abs(measured - published) <= statement["tolerance"] * abs(published)
    else:
        ratio = None
        bound, holds = _bound(kind, published, measured)
    if holds:
        return "reproduced", _within(statement), ratio
    return _side(statement["metric"], measured, bound), words(statement["metric"], measured, bound), ratio


def _bound(kind: str, published: Any, measured: float) -> tuple[float, bool]:
    """The bound that counts, and whether it holds."""
    if kind == "between":
        low, high = published
        return (low if measured < low else high), low <= measured <= high
    return published, measured < published if kind == "below" else measured > published


def _within(statement: Mapping[str, Any]) -> str:
    if statement["kind"] != "value":
        return {"below": "below, as published", "above": "above, as published"}.get(
            statement["kind"], "within the published range"
        )
    return f"within {100 * statement['tolerance']:g}%"


def _side(metric: str, measured: float, bound: float) -> str:
    """`better` or `worse`, by the metric's direction; `differs` if it has none."""
    direction = METRICS[metric].direction
    if direction is None:
        return "differs"
    return "better" if (measured < bound) == (direction == "lower") else "worse"


def words(metric: str, measured: float, published: float) -> str:
    """How much a number differs from another: `3.1× faster`, `12% more memory`."""
    unit = METRICS[metric].unit
    less = measured < published
    if measured <= 0 or published <= 0:
        return "less" if less else "more"
    ratio = measured / published
    if 1 / 1.1 < ratio < 1.1 and (unit in _RATES or unit in _TIMES):
        more, fewer = ("faster", "slower") if unit in _RATES else (_TIMES[unit][1], _TIMES[unit][0])
        return f"{100 * abs(ratio - 1):.2g}% {fewer if less else more}"
    if unit in _RATES:
        return f"{_times(max(ratio, 1 / ratio))} {'slower' if less else 'faster'}"
    if unit in _TIMES:
        return f"{_times(max(ratio, 1 / ratio))} {_TIMES[unit][not less]}"
    lower, higher = _SHARES.get(unit, ("less", "more"))
    return f"{100 * abs(ratio - 1):.3g}% {lower if less else higher}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.3g}×" if ratio < 1.1 else f"{ratio:.2g}×"


def agrees(found: float | None, published: Any) -> bool:
    """Whether a metric is as a condition says, within half a percent."""
    if found is None or not isinstance(published, int | float):
        return found is None and published is None
    return math.isclose(found, published, rel_tol=AGREES)
