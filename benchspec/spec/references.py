"""Published values, and how a measured one stands to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchspec.spec.document import Node

#: what a reference can be, in the words of a spec
KINDS_OF_VALUE = ("value", "below", "above", "between", "slope", "outcome")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One published value."""

    source: str
    #: the machine that it was measured on, where that was said
    hardware: str | None
    #: None for an outcome
    metric: str | None
    experiment: str
    where: Mapping[str, Any]
    kind: str
    #: in the metric's unit; a pair for `between`; a name for `outcome`
    value: Any
    #: the field, and the amount of it, that a slope is for
    per: Mapping[str, float] | None
    #: where it was written
    mark: Node


def matches(where: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a case's resolved fields agree with every dotted path of `where`."""
    return all(agrees(lookup(fields, path), wanted) for path, wanted in where.items())


def lookup(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = fields
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def agrees(found: Any, wanted: Any) -> bool:
    """Equality, but that a plugin agrees with its name, and a mapping with a part of it."""
    if isinstance(found, Mapping) and isinstance(wanted, str):
        return bool(found.get("name") == wanted)
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(agrees(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)


def published(references: Sequence[Reference], experiment: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was published of a case, slopes left out: they are of several cases."""
    return [
        {
            "source": reference.source,
            "hardware": reference.hardware,
            "metric": reference.metric,
            reference.kind: reference.value,
        }
        for reference in references
        if reference.kind != "slope" and reference.experiment == experiment and matches(reference.where, fields)
    ]


def beside(told: Sequence[Mapping[str, Any]], outcome: str, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    """Published values, each with its ratio to what was measured, or whether it was met; None: not measured.

    What a crashed case measured proves nothing, and is compared with nothing.
    """
    proven = {} if outcome == "crash" else metrics
    return [{**value, **_verdict(value, outcome, proven)} for value in told]


def _verdict(told: Mapping[str, Any], outcome: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    measured = metrics.get(told["metric"])
    if "value" in told:
        known = measured is not None and told["value"]
        return {"ratio": measured / told["value"] if known else None}
    return {"met": _met(told, outcome, measured)}


def _met(told: Mapping[str, Any], outcome: str, measured: float | None) -> bool | None:
    if "outcome" in told:
        return bool(outcome == told["outcome"])
    if measured is None:
        return None
    low = told.get("above", -math.inf)
    high = told.get("below", math.inf)
    if "between" in told:
        low, high = told["between"]
        return bool(low <= measured <= high)
    return bool(low < measured < high)


def slopes(references: Sequence[Reference]) -> list[dict[str, Any]]:
    """The published slopes, which are listed beside an experiment's results."""
    return [
        {
            "experiment": reference.experiment,
            "metric": reference.metric,
            "slope": reference.value,
            "per": dict(reference.per or {}),
            "source": reference.source,
            "hardware": reference.hardware,
        }
        for reference in references
        if reference.kind == "slope"
    ]
