"""Published values, and how a measured one stands to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchspec.document import Node

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


def beside(
    references: Sequence[Reference],
    experiment: str,
    fields: Mapping[str, Any],
    outcome: str,
    metrics: Mapping[str, float],
) -> list[dict[str, Any]]:
    """What was published of a case, each with its ratio to what was measured, or whether it was met."""
    return [
        _beside(reference, outcome, metrics)
        for reference in references
        if reference.kind != "slope" and reference.experiment == experiment and matches(reference.where, fields)
    ]


def _beside(reference: Reference, outcome: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    measured = metrics.get(reference.metric) if reference.metric else None
    told = {"source": reference.source, "hardware": reference.hardware, "metric": reference.metric}
    told[reference.kind] = reference.value
    if reference.kind == "value":
        return told | {"ratio": measured / reference.value if measured is not None and reference.value else None}
    return told | {"met": _met(reference, outcome, measured)}


def _met(reference: Reference, outcome: str, measured: float | None) -> bool | None:
    if reference.kind == "outcome":
        return bool(outcome == reference.value)
    if measured is None:
        return None
    if reference.kind == "between":
        low, high = reference.value
        return bool(low <= measured <= high)
    return bool(measured < reference.value if reference.kind == "below" else measured > reference.value)


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
