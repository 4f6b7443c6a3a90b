"""Published values, as a spec gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchspec.terms.where import matches

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
