"""Spec -> cases: expand each experiment's matrix, complete the fields and assign ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from benchspec.cases import axes
from benchspec.cases.case import Case
from benchspec.cases.ids import case_ids, digest
from benchspec.cases.matrix import Combination, combinations
from benchspec.cases.training import missing_to_train
from benchspec.cases.trials import EXPECTED, Trial, trials
from benchspec.kinds.bases import Plugin
from benchspec.kinds.options import section
from benchspec.spec import document
from benchspec.spec.document import Node
from benchspec.spec.fields import REQUIRED, FieldCheck, Fields, Missing, complete
from benchspec.spec.schema import validator
from benchspec.spec.spec import Spec
from benchspec.terms.errors import MAX_PROBLEMS, Problem, SpecError, distinct, first
from benchspec.terms.where import matches

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


#: in all experiments together; more would take minutes to plan and years to run
MAX_CASES = 5_000


@dataclass
class Expansion:
    """The cases of a spec, and the mistakes that show only in them."""

    cases: list[Case] = field(default_factory=list)
    #: (experiment, case id) -> the case's plugins, by kind
    plugins: dict[tuple[str, str], Mapping[str, Plugin]] = field(default_factory=dict)
    #: (experiment, case id) -> the case's fields as the spec gives them, for messages
    nodes: dict[tuple[str, str], Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: (experiment, case id) -> what of the case is not on this machine, such as data: needed to run, not to plan
    absent: dict[tuple[str, str], list[Problem]] = field(default_factory=dict)


class Draft(NamedTuple):
    """A case that has no id yet."""

    combination: Combination
    node: Node
    fields: Fields


def plan(spec: Spec) -> list[Case]:
    """The cases of a spec, in the spec's order; raises `SpecError` with every mistake in them."""
    expansion = expand(spec)
    if expansion.problems:
        raise SpecError(expansion.problems)
    return expansion.cases


def expand(spec: Spec) -> Expansion:
    """The cases of every experiment whose matrix and expectations pass the schema."""
    found = Expansion()
    check, missing = FieldCheck(spec.registry), Missing(spec.registry, online=False)
    forms = {key: validator(spec.schema, key) for key in ("matrix", "expect")}
    experiments = spec.node.get("experiments")
    for name, node in experiments.value.items() if experiments and isinstance(experiments.value, dict) else ():
        if isinstance(node.value, dict) and _passes(forms["matrix"], node.get("matrix")):
            if not _passes(forms["expect"], node.get("expect")):
                node = replace(node, value={key: part for key, part in node.value.items() if key != "expect"})
            try:
                _expand_experiment(spec, name, node, check, missing, found)
            except SpecError as error:
                found.problems += error.problems
        if len(found.cases) > MAX_CASES:
            found.problems.append(node.problem(f"the spec has more than {MAX_CASES:,} cases: split it into several"))
        found.problems = first(distinct(found.problems))
        if len(found.cases) > MAX_CASES or len(found.problems) > MAX_PROBLEMS:
            break
    return found


def _passes(form: Draft202012Validator, node: Node | None) -> bool:
    """Whether a value has its form; if not, the check of the whole spec has said why."""
    return node is None or form.is_valid(node.plain())


def _expand_experiment(
    spec: Spec, name: str, node: Node, check: FieldCheck, missing: Missing, found: Expansion
) -> None:
    base = _base(spec, node)
    combined, whole = _combined(node.get("matrix"), found)
    # A field that is misspelt is told, and not that it is missing too.
    written = [*node.value, *(defaults.value if (defaults := spec.node.get("defaults")) else ())]
    whole = whole and all(key in spec.schema["$defs"]["experiment"]["properties"] for key in written)
    drafts: list[Draft] = []
    for combination in combined:
        fields = _assigned(spec, base, combination)
        problems = list(check.problems(fields, whole=whole))
        found.problems += problems
        if not problems and all(key in fields.value for key in REQUIRED):
            of_case = _trials(spec, combination, fields)
            drafts += [Draft(*trial, complete(spec, trial.fields, missing)) for trial in of_case]
    _add_cases(name, node, drafts, found)


def _combined(matrix: Node | None, found: Expansion) -> tuple[list[Combination], bool]:
    """A matrix's combinations, and whether they are whole: where it has mistakes, they are of the other axes alone."""
    if matrix is None:
        return [{}], True
    if not (wrong := axes.problems(matrix)):
        return combinations(matrix), True
    found.problems += wrong
    usable = axes.usable(matrix)
    try:
        return combinations(usable) if usable else [{}], False
    except SpecError:
        # Too many, without its `exclude`.
        return [], False


def _trials(spec: Spec, combination: Combination, fields: Node) -> list[Trial]:
    if not (measure := fields.get("measure")) or not measure.get("search"):
        return [Trial(combination, fields)]
    given = fields.get("train")
    return trials(combination, fields, section(spec.schema["$defs"]["train"], given.plain() if given else {}) or {})


def _add_cases(name: str, node: Node, drafts: Sequence[Draft], found: Expansion) -> None:
    """Add the cases of one experiment, and the problems of their plugins."""
    ids = case_ids([(draft.fields.said, draft.combination) for draft in drafts])
    earlier: dict[str, str] = {}
    expect = node.get("expect")
    expectations = (expect.plain() if expect else None) or []
    for id, draft in zip(ids, drafts, strict=True):
        found.problems += draft.fields.problems
        if (other := earlier.setdefault(digest(draft.fields.said), id)) != id or (name, id) in found.plugins:
            found.problems.append((node.get("matrix") or node).problem(_same(other, id), at_key=True))
        found.cases.append(_case(id, name, expectations, draft.combination, draft.fields))
        elsewhere = bool(getattr(draft.fields.plugins.get("launcher"), "elsewhere", False))
        of_training = missing_to_train(draft.node, draft.fields.values["train"], elsewhere)
        found.absent[name, id] = [*draft.fields.missing, *of_training]
        found.plugins[name, id] = draft.fields.plugins
        found.nodes[name, id] = draft.node


def _same(first: str, second: str) -> str:
    if first == second:
        return f"two cases have the id '{first}'"
    return f"the cases '{first}' and '{second}' differ in name only"


def _case(
    id: str, name: str, expectations: Sequence[Mapping[str, Any]], combination: Combination, fields: Fields
) -> Case:
    return Case(
        id=id,
        experiment=name,
        axes={path: node.plain() for path, node in combination.items()},
        expected=_expected(expectations, fields.values),
        said=fields.said,
        **fields.values,
    )


def _base(spec: Spec, experiment: Node) -> Node:
    """The spec's defaults, overridden by the experiment's own fields."""
    known = spec.schema["$defs"]["fields"]["properties"]
    own = {key: node for key, node in experiment.value.items() if key in known}
    base = spec.node.get("defaults")
    over = replace(experiment, value=own)
    return document.merge_roots(base, over) if base else over


def _assigned(spec: Spec, base: Node, combination: Combination) -> Node:
    """The fields with a combination's values set; where two axes overlap, the longer path wins.

    An axis of an option is one of the default plugin, where the spec names no other.
    """
    for path, value in sorted(combination.items(), key=lambda axis: axis[0].count(".")):
        parts = path.split(".")
        default = spec.default_plugins.get(parts[0])
        if len(parts) > 1 and default and base.get(parts[0]) is None:
            base = document.assign(base, [parts[0]], replace(value, value={"name": replace(value, value=default)}))
        base = document.assign(base, parts, value)
    return base


def _expected(expectations: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> tuple[str, ...]:
    outcomes = [entry["outcome"] for entry in expectations if matches(entry.get("where", {}), fields)]
    flat = [name for outcome in outcomes for name in ([outcome] if isinstance(outcome, str) else outcome)]
    return tuple(dict.fromkeys(flat)) or (EXPECTED if fields["measure"]["search"] else ("ok",))
