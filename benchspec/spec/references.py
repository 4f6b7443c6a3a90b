"""The published values of a spec: how they are read and checked, and which belong to a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchspec.spec.document import Node
from benchspec.terms.errors import Problem, clipped, suggest
from benchspec.terms.metrics import METRICS
from benchspec.terms.units import DURATIONS, SIZES, quantity
from benchspec.terms.where import matches

#: the keys under which a spec gives a published value
KINDS_OF_VALUE = ("value", "below", "above", "between", "slope", "outcome")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One published value."""

    source: str
    #: the machine that it was measured on, if the spec names it
    hardware: str | None
    #: None for an outcome
    metric: str | None
    experiment: str
    where: Mapping[str, Any]
    kind: str
    #: in the metric's unit; a pair for `between`; a name for `outcome`
    value: Any
    #: for a slope: the field, and by how much it grows
    per: Mapping[str, float] | None
    #: its node in the spec, for messages
    node: Node


def published(references: Sequence[Reference], experiment: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The published values of a case, without slopes, which describe several cases."""
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


def in_group(group: Node) -> Iterator[Reference]:
    shared = {key: node.plain() for key, node in group.value.items() if key != "values"}
    for node in group.at(["values"]).value:
        value = node.plain()
        kind = next(kind for kind in KINDS_OF_VALUE if kind in value)
        metric = None if kind == "outcome" else shared.get("metric")
        yield Reference(
            source=shared["source"],
            hardware=shared.get("hardware"),
            metric=metric,
            experiment=value["experiment"],
            where=value.get("where", {}),
            kind=kind,
            value=_in_unit(value[kind], metric),
            per=value.get("per"),
            node=node,
        )


def _in_unit(value: Any, metric: str | None) -> Any:
    """A quantity, or a pair of them, as a number in the metric's unit."""
    if isinstance(value, list):
        return [_in_unit(item, metric) for item in value]
    if isinstance(value, str) and metric:
        units = {"s": DURATIONS, "bytes": SIZES}.get(METRICS[metric].unit)
        if units is None:
            raise ValueError(f"'{clipped(value)}' has a unit, but {metric} is a plain number")
        return quantity(value, units)
    return value


def problems(root: Node, fields: Sequence[str]) -> Iterator[Problem]:
    """Mistakes in references and expectations that a schema cannot find; `fields` are the names of a case's fields."""
    experiments = root.at(["experiments"]).value
    for experiment in experiments.values():
        for entry in experiment.at(["expect"]).value if experiment.get("expect") else []:
            yield from _where_problems(entry, list(fields))
    for group in root.at(["references"]).value if root.get("references") else []:
        metric = group.get("metric")
        for node in group.at(["values"]).value:
            yield from _where_problems(node, list(fields))
            yield from _reference_problem(node, metric.value if metric else None, list(experiments), group)


def _reference_problem(node: Node, metric: str | None, experiments: list[str], group: Node) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS_OF_VALUE if kind in node.value]
    name = node.at(["experiment"])
    if name.value not in experiments:
        allowed = ", ".join(experiments)
        yield name.problem(
            f"no experiment is called '{clipped(name.value)}' ({allowed}){suggest(name.value, experiments)}"
        )
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        yield node.problem(f"give one of {', '.join(KINDS_OF_VALUE)}; found {found}")
    elif kinds[0] != "outcome" and metric is None:
        yield group.problem(f"'metric' is missing; it says what '{kinds[0]}' measures")
    elif ("slope" in kinds) != ("per" in node.value):
        yield node.problem(
            "'slope' and 'per' must be given together: the metric grows by 'slope' per so much of a field"
        )
    elif kinds[0] != "outcome":
        yield from _quantity_problem(node.at([kinds[0]]), metric)


def _where_problems(entry: Node, fields: list[str]) -> Iterator[Problem]:
    where = entry.get("where")
    for path, node in where.value.items() if where else ():
        if path.split(".")[0] not in fields:
            message = f"'{clipped(path)}' is not a field of a case ({', '.join(fields)}){suggest(path, fields)}"
            yield node.problem(message, at_key=True)


def _quantity_problem(node: Node, metric: str | None) -> Iterator[Problem]:
    try:
        value = _in_unit(node.plain(), metric)
    except ValueError as error:
        yield node.problem(str(error))
    else:
        if isinstance(value, list) and value[0] > value[1]:
            yield node.problem(f"{node.plain()[0]} is more than {node.plain()[1]}; give the lower bound first")
