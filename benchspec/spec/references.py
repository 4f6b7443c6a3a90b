"""The published values of a spec: how they are read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchspec.kinds.bases import CASE_KINDS, SECTIONS
from benchspec.spec.document import Node
from benchspec.terms.errors import Problem, suggest
from benchspec.terms.harmless import clipped
from benchspec.terms.metrics import METRICS, is_count
from benchspec.terms.units import DURATIONS, SHARES, SIZES, quantity

#: the keys under which a spec gives a published value
KINDS_OF_VALUE = ("value", "below", "above", "between", "outcome", "ordering", "slope")
#: kind -> the key that must be given with it, and what that says
_WITH = {
    "slope": ("per", "the metric grows by 'slope' per so much of a field"),
    "ordering": ("by", "'by' is the field whose values 'ordering' names, from the metric's lowest to its highest"),
}
#: the kinds that agree within a tolerance, as a share of what was published; for counts it is smaller
WITH_TOLERANCE = ("value", "slope")
TOLERANCE, COUNT_TOLERANCE = 0.1, 0.005


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One published value."""

    source: str
    #: the machine that it was measured on, if the spec names it
    hardware: str | None
    #: None for an outcome
    metric: str | None
    #: None: every experiment
    experiment: str | None
    where: Mapping[str, Any]
    #: the conditions under which it was published: dotted paths of a case's fields, and ids of metrics
    given: Mapping[str, Any]
    kind: str
    #: in the metric's unit; a pair for `between`; a name for `outcome`; a list of values of `by` for `ordering`
    value: Any
    #: of a value or a slope: the share by which a measured one may differ
    tolerance: float | None
    #: for an ordering: the field
    by: str | None
    #: for a slope: the field, and by how much it grows
    per: Mapping[str, float] | None
    #: its node in the spec, for messages
    node: Node


def in_group(group: Node) -> Iterator[Reference]:
    """The published values of one source."""
    shared = {key: node.plain() for key, node in group.value.items() if key != "values"}
    for node in group.at(["values"]).value:
        value = node.plain()
        kind = next(kind for kind in KINDS_OF_VALUE if kind in value)
        metric = None if kind == "outcome" else shared.get("metric")
        tolerance = value.get("tolerance", shared.get("tolerance"))
        yield Reference(
            source=shared["source"],
            hardware=shared.get("hardware"),
            metric=metric,
            experiment=value.get("experiment"),
            where=value.get("where", {}),
            given={key: _condition(key, condition) for key, condition in shared.get("given", {}).items()},
            kind=kind,
            value=value[kind] if kind == "ordering" else _in_unit(value[kind], metric),
            tolerance=_tolerance(tolerance, metric) if kind in WITH_TOLERANCE else None,
            by=value.get("by"),
            per=value.get("per"),
            node=node,
        )


def _condition(key: str, value: Any) -> Any:
    """A condition: of a metric, a number in its unit."""
    return _in_unit(value, key) if key in METRICS and isinstance(value, str) else value


def _tolerance(given: float | str | None, metric: str | None) -> float:
    if given is None:
        return COUNT_TOLERANCE if metric and is_count(metric) else TOLERANCE
    return float(quantity(given, SHARES) if isinstance(given, str) else given)


def _in_unit(value: Any, metric: str | None) -> Any:
    """A quantity, or a pair of them, as a number in the metric's unit."""
    if isinstance(value, list):
        return [_in_unit(item, metric) for item in value]
    if isinstance(value, str) and metric:
        units = {"s": DURATIONS, "bytes": SIZES, "fraction": SHARES}.get(METRICS[metric].unit)
        if units is None:
            raise ValueError(f"'{clipped(value)}' has a unit, but {metric} is a plain number")
        return quantity(value, units)
    return value


def problems(root: Node, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Mistakes in references and expectations that their schema, which is part of the spec's `schema`, cannot find."""
    definitions = schema["$defs"]
    fields = {name: definitions[name] if name in SECTIONS else None for name in definitions["fields"]["properties"]}
    experiments = root.at(["experiments"]).value
    for experiment in experiments.values():
        for entry in experiment.at(["expect"]).value if experiment.get("expect") else []:
            yield from _where_problems(entry, "where", fields)
    for group in root.at(["references"]).value if root.get("references") else []:
        metric = group.get("metric")
        yield from _where_problems(group, "given", {**fields, **dict.fromkeys(METRICS)})
        for key, node in group.get("given").value.items() if group.get("given") else ():
            if key in METRICS:
                yield from _quantity_problem(node, key)
        for node in group.at(["values"]).value:
            yield from _where_problems(node, "where", fields)
            yield from _reference_problem(node, metric.value if metric else None, list(experiments), group)


def _reference_problem(node: Node, metric: str | None, experiments: list[str], group: Node) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS_OF_VALUE if kind in node.value]
    name = node.get("experiment")
    if name is not None and name.value not in experiments:
        allowed = ", ".join(experiments)
        yield name.problem(
            f"no experiment is called '{clipped(name.value)}' ({allowed}){suggest(name.value, experiments)}"
        )
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        yield node.problem(f"give one of {', '.join(KINDS_OF_VALUE)}; found {found}")
        return
    (kind,) = kinds
    if kind != "outcome" and metric is None:
        yield group.problem(f"'metric' is missing; it says what '{kind}' measures")
    yield from _misplaced(node, kind)
    if kind not in ("outcome", "ordering"):
        yield from _quantity_problem(node.at([kind]), metric)


def _misplaced(node: Node, kind: str) -> Iterator[Problem]:
    """Keys that are given without the kind of value that they belong to, or missing beside it."""
    for other, (key, meaning) in _WITH.items():
        if (kind == other) != (key in node.value):
            yield node.problem(f"'{other}' and '{key}' must be given together: {meaning}")
    if "tolerance" in node.value and kind not in WITH_TOLERANCE:
        yield node.at(["tolerance"]).problem(f"'tolerance' belongs to {' and '.join(WITH_TOLERANCE)}, not to '{kind}'")


def _where_problems(entry: Node, key: str, fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Paths that lead to no field of a case; `fields`: name -> the schema of a section, None of anything else."""
    where = entry.get(key)
    for path, node in where.value.items() if where else ():
        name, *steps = path.split(".")
        if name not in fields:
            names = [name for name in fields if name not in METRICS]
            also = ", or a metric" if len(names) < len(fields) else ""
            message = f"'{clipped(path)}' is not a field of a case ({', '.join(names)}{also})"
            yield node.problem(f"{message}{suggest(path, list(fields))}", at_key=True)
        # What options a plugin has depends on the case.
        elif name not in CASE_KINDS:
            yield from _unknown_keys(fields[name] or {}, steps, node, path)


def _unknown_keys(schema: Mapping[str, Any], steps: Sequence[str], node: Node, path: str) -> Iterator[Problem]:
    """The first step of a path that a section's schema does not have, and such keys of a mapping at its end."""
    known = schema.get("properties", {})
    if steps and steps[0] not in known:
        allowed = f" (allowed: {', '.join(known)})" if known else ""
        message = f"'{clipped(path)}' is not a field of a case: unknown key '{clipped(steps[0])}'{allowed}"
        yield node.problem(f"{message}{suggest(steps[0], list(known))}", at_key=True)
    elif steps:
        yield from _unknown_keys(known[steps[0]], steps[1:], node, path)
    elif isinstance(node.value, dict):
        for key, part in node.value.items():
            yield from _unknown_keys(schema, [key], part, f"{path}.{key}")


def _quantity_problem(node: Node, metric: str | None) -> Iterator[Problem]:
    try:
        value = _in_unit(node.plain(), metric)
    except ValueError as error:
        yield node.problem(str(error))
    else:
        if isinstance(value, list) and value[0] > value[1]:
            yield node.problem(f"{node.plain()[0]} is more than {node.plain()[1]}; give the lower bound first")
