"""Spec -> cases: expand each experiment's matrix, complete the fields and assign ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchspec.cases.case import Case
from benchspec.cases.ids import case_id, digest
from benchspec.cases.matrix import Combination, combinations
from benchspec.spec import document
from benchspec.spec.document import Node
from benchspec.spec.fields import FieldCheck, complete
from benchspec.spec.spec import Spec
from benchspec.terms.errors import Problem, SpecError, distinct, suggest
from benchspec.terms.where import matches


@dataclass
class Expansion:
    """The cases of a spec, and the mistakes that show only in them."""

    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    #: data files that are not on this machine: needed to run, not to plan
    missing: list[Problem] = field(default_factory=list)


def plan(spec: Spec) -> list[Case]:
    """The cases of a spec, in the spec's order; raises `SpecError` with every mistake in them."""
    expansion = expand(spec)
    if expansion.problems:
        raise SpecError(expansion.problems)
    return expansion.cases


def expand(spec: Spec) -> Expansion:
    """The cases of every experiment that can be expanded."""
    found = Expansion()
    check = FieldCheck(spec.registry)
    experiments = spec.node.at(["experiments"])
    for name, node in experiments.value.items() if isinstance(experiments.value, dict) else ():
        if _well_formed(node):
            try:
                _expand_experiment(spec, name, node, check, found)
            except SpecError as error:
                found.problems += error.problems
    found.problems = distinct(found.problems)
    return found


def _expand_experiment(spec: Spec, name: str, node: Node, check: FieldCheck, found: Expansion) -> None:
    base = _base(spec, node)
    matrix = node.get("matrix")
    ids: dict[str, str] = {}
    for combination in combinations(matrix) if matrix else [{}]:
        fields = _assigned(base, combination)
        unknown = [_unknown_axis(spec, path, value) for path, value in combination.items()]
        problems = [problem for problem in unknown if problem] or list(check.problems(fields))
        if problems:
            found.problems += problems
            continue
        case = _case(spec, name, node, fields, combination, found)
        if first := ids.get(digest(case.said)):
            message = f"two cases have the id '{case.id}'"
            if first != case.id:
                message = f"the cases '{first}' and '{case.id}' differ in name only"
            found.problems.append((matrix or node).problem(message, at_key=True))
        ids.setdefault(digest(case.said), case.id)
        found.cases.append(case)


def _case(spec: Spec, name: str, experiment: Node, fields: Node, combination: Combination, found: Expansion) -> Case:
    """A case of fields that passed the schema; any further problems are added to `found`."""
    completed = complete(spec, fields)
    found.problems += completed.problems
    found.missing += completed.missing
    return Case(
        id=case_id(completed.said, combination),
        experiment=name,
        axes={path: node.plain() for path, node in combination.items()},
        expected=_expected(experiment, completed.values),
        said=completed.said,
        **completed.values,
    )


def _well_formed(node: Node) -> bool:
    """Whether the matrix can be expanded and `expect` read; if not, the schema check has reported why."""
    if not isinstance(node.value, dict) or not _readable(node.get("expect")):
        return False
    matrix = node.get("matrix")
    lists = matrix.value.values() if matrix and isinstance(matrix.value, dict) else []
    entries = [matrix.get(key) for key in ("include", "exclude")] if matrix else []
    return (
        (matrix is None or (isinstance(matrix.value, dict) and bool(matrix.value)))
        and all(isinstance(values.value, list) and values.value for values in lists)
        and all(isinstance(item.value, dict) for entry in entries if entry for item in entry.value)
    )


def _readable(expect: Node | None) -> bool:
    """Whether the list of expected outcomes has the form of one."""
    if expect is None:
        return True
    if not isinstance(expect.value, list):
        return False
    entries = [entry.plain() for entry in expect.value]
    return all(isinstance(entry, dict) and isinstance(entry.get("where", {}), dict) for entry in entries) and all(
        isinstance(outcome, str)
        for entry in entries
        for outcome in (entry["outcome"] if isinstance(entry.get("outcome"), list) else [entry.get("outcome")])
    )


def _base(spec: Spec, experiment: Node) -> Node:
    """The spec's defaults, overridden by the experiment's own fields."""
    known = spec.schema["$defs"]["fields"]["properties"]
    own = {key: node for key, node in experiment.value.items() if key in known}
    base = spec.node.get("defaults")
    over = replace(experiment, value=own)
    return document.merge_roots(base, over) if base else over


def _assigned(base: Node, combination: Combination) -> Node:
    """The fields with a combination's values set; where two axes overlap, the longer path wins."""
    for path, value in sorted(combination.items(), key=lambda axis: axis[0].count(".")):
        base = document.assign(base, path.split("."), value)
    return base


def _unknown_axis(spec: Spec, path: str, node: Node) -> Problem | None:
    known = list(spec.schema["$defs"]["fields"]["properties"])
    if path.split(".")[0] in known:
        return None
    message = f"unknown axis path '{path}' (a path starts with one of {', '.join(known)}){suggest(path, known)}"
    return node.problem(message, at_key=True)


def _expected(experiment: Node, fields: Mapping[str, Any]) -> tuple[str, ...]:
    node = experiment.get("expect")
    entries = (node.plain() if node else None) or []
    outcomes = [entry["outcome"] for entry in entries if matches(entry.get("where", {}), fields)]
    flat = [name for outcome in outcomes for name in ([outcome] if isinstance(outcome, str) else outcome)]
    return tuple(dict.fromkeys(flat)) or ("ok",)
