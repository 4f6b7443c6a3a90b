"""Spec -> [Case]: each experiment's matrix expanded, defaults filled in, ids given."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from benchspec.cases.case import Case
from benchspec.cases.matrix import Combination, combinations
from benchspec.kinds.bases import CASE_KINDS, Hardware, Model
from benchspec.kinds.registry import Registry
from benchspec.kinds.values import Facts, Shape
from benchspec.spec import choices as resolve
from benchspec.spec import document, schema
from benchspec.spec.document import Node
from benchspec.spec.spec import Spec
from benchspec.terms.errors import BenchspecError, PluginError, Problem, SpecError, distinct, suggest
from benchspec.terms.where import lookup, matches


@dataclass
class Expansion:
    """The cases of a spec, and what is wrong with it as far as only they can tell."""

    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    #: data that is not there; it need not be to plan, but it must be to run
    missing: list[Problem] = field(default_factory=list)


def plan(spec: Spec) -> list[Case]:
    """The cases of a spec, in its order; raises `SpecError` with all that is wrong with them."""
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
        try:
            _expand_experiment(spec, name, node, check, found)
        except SpecError as error:
            found.problems += error.problems
    found.problems = distinct(found.problems)
    return found


def _expand_experiment(spec: Spec, name: str, node: Node, check: FieldCheck, found: Expansion) -> None:
    if not _well_formed(node):
        return
    base = _base(spec, node)
    matrix = node.get("matrix")
    problems: list[Problem] = []
    ids: dict[str, str] = {}
    for combination in combinations(matrix) if matrix else [{}]:
        wrong = [_unknown_axis(spec, path, value) for path, value in combination.items()]
        fields = _assigned(base, combination)
        case_problems = [problem for problem in wrong if problem] or list(check.problems(fields))
        if not case_problems:
            case, case_problems = _case(spec, name, node, fields, combination, found)
            if case and _digest(case.said) in ids:
                first = ids[_digest(case.said)]
                message = f"two cases have the id '{case.id}'" + (f", but for its label '{first}'" * (first != case.id))
                case_problems.append((matrix or node).problem(message, at_key=True))
            if case:
                ids.setdefault(_digest(case.said), case.id)
                found.cases.append(case)
        problems += case_problems
    found.problems += problems


def _well_formed(node: Node) -> bool:
    """Whether the matrix has the form of one; what is wrong with it otherwise, the schema has said."""
    if not isinstance(node.value, dict):
        return False
    matrix = node.get("matrix")
    lists = matrix.value.values() if matrix and isinstance(matrix.value, dict) else []
    entries = [matrix.get(key) for key in ("include", "exclude")] if matrix else []
    return (
        (matrix is None or (isinstance(matrix.value, dict) and bool(matrix.value)))
        and all(isinstance(values.value, list) and values.value for values in lists)
        and all(isinstance(item.value, dict) for entry in entries if entry for item in entry.value)
    )


def _base(spec: Spec, experiment: Node) -> Node:
    """The defaults with the experiment's own fields over them."""
    known = spec.schema["$defs"]["fields"]["properties"]
    own = {key: node for key, node in experiment.value.items() if key in known}
    base = spec.node.get("defaults")
    over = replace(experiment, value=own)
    return document.merge_roots(base, over) if base else over


def _assigned(base: Node, combination: Combination) -> Node:
    """The fields with a combination's values; of two axes, the one that reaches deeper has the last word."""
    for path, value in sorted(combination.items(), key=lambda axis: axis[0].count(".")):
        base = document.assign(base, path.split("."), value)
    return base


def _unknown_axis(spec: Spec, path: str, node: Node) -> Problem | None:
    known = list(spec.schema["$defs"]["fields"]["properties"])
    if path.split(".")[0] in known:
        return None
    message = f"unknown axis path '{path}' (a path starts with one of {', '.join(known)}){suggest(path, known)}"
    return node.problem(message, at_key=True)


class FieldCheck:
    """Checks the fields of whole cases, each value once: the cases of a matrix share most of theirs."""

    def __init__(self, registry: Registry):
        self._registry = registry
        self._check = schema.validator(schema.compose(registry, whole=True), "fields")
        #: id of a node -> the node, which keeps the id its own, and what is wrong with it
        self._known: dict[int, tuple[Node, list[Problem]]] = {}

    def problems(self, fields: Node) -> Iterator[Problem]:
        """What is wrong with a whole case."""
        for key in ("model", "dataset"):
            if key not in fields.value:
                yield fields.problem(f"'{key}' is missing; give it here, in the matrix or under defaults", at_key=True)
        for key, node in fields.value.items():
            if id(node) not in self._known:
                self._known[id(node)] = node, self._problems(fields, key, node)
            yield from self._known[id(node)][1]

    def _problems(self, fields: Node, key: str, node: Node) -> list[Problem]:
        whole = _as_mapping(node) if key in CASE_KINDS else node
        return list(schema.problems(self._check, replace(fields, value={key: whole}), self._registry))


def _as_mapping(node: Node) -> Node:
    """A plugin's name as the mapping that it stands for, so that its required options are asked for."""
    return replace(node, value={"name": node}) if isinstance(node.value, str) else node


def _case(
    spec: Spec, name: str, experiment: Node, fields: Node, combination: Combination, found: Expansion
) -> tuple[Case | None, list[Problem]]:
    said = resolve.said(spec.registry, fields)
    resolved = _resolved(spec, fields)
    problems = list(_plugin_problems(spec, fields, resolved))
    for kind in CASE_KINDS:
        if node := fields.get(kind):
            nodes = resolve.missing_files(spec.registry, kind, node)
            found.missing += [node.problem(f"'{node.value}' does not exist") for node in nodes]
    case = Case(
        id=_id(said, combination),
        experiment=name,
        axes={path: node.plain() for path, node in combination.items()},
        expected=_expected(experiment, resolved),
        said=said,
        **resolved,
    )
    return case, problems


def _resolved(spec: Spec, fields: Node) -> dict[str, Any]:
    definitions = spec.schema["$defs"]
    properties = definitions["fields"]["properties"]
    resolved: dict[str, Any] = {
        kind: resolve.plugin(spec.registry, kind, fields.get(kind) or document.bare(properties[kind]["default"]))
        for kind in CASE_KINDS
        if fields.get(kind) or "default" in properties[kind]
    }
    if resolved["launcher"].get("processes") == "auto":
        resolved["launcher"]["processes"] = _accelerators(spec) or 1
    if "backend" not in resolved:
        name = "fsdp" if resolved["launcher"].get("processes", 1) > 1 else "single"
        resolved["backend"] = resolve.plugin(spec.registry, "backend", document.bare(name))
    sections = {key: resolve.section(definitions[key], fields.get(key)) for key in ("train", "measure", "limits")}
    return resolved | sections


def facts(spec: Spec) -> Facts:
    """What the machine is that the spec names; raises `PluginError` where its plugin cannot tell."""
    node = spec.hardware or document.bare(spec.schema["properties"]["hardware"]["default"])
    value = resolve.plugin(spec.registry, "hardware", node)
    hardware = cast(Hardware, spec.registry.create("hardware", value))
    try:
        return hardware.facts()
    except Exception as error:
        origin = spec.registry.find("hardware", value["name"]).origin
        raise PluginError(f"{origin} could not tell its facts: {type(error).__name__}: {error}") from error


def _accelerators(spec: Spec) -> int:
    named = resolve.name_and_options(spec.hardware)[0] if spec.hardware else "auto"
    # Where there is no such hardware, the schema has said so.
    return facts(spec).accelerators if named in spec.registry.names("hardware") else 0


def shape(spec: Spec, case: Case) -> Shape | None:
    """The dimensions of a case's model, where they can be known beforehand."""
    return cast(Model, spec.registry.create("model", case.model)).shape()


def _plugin_problems(spec: Spec, fields: Node, resolved: Mapping[str, Any]) -> Iterator[Problem]:
    """Options that are right one by one and make no sense together, as only the plugin itself can tell."""
    for kind in CASE_KINDS:
        node = fields.at([kind])
        try:
            plugin = spec.registry.create(kind, resolved[kind])
            if isinstance(plugin, Model) and (found := plugin.shape()):
                yield from _length_problem(fields, found, resolved["train"]["max_length"])
        except BenchspecError as error:
            yield node.problem(str(error))
        except Exception as error:
            origin = spec.registry.find(kind, resolved[kind]["name"]).origin
            yield node.problem(f"{origin} refuses its options: {type(error).__name__}: {error}")


def _length_problem(fields: Node, found: Shape, length: int) -> Iterator[Problem]:
    if found.positions is not None and length > found.positions:
        node = fields.at(["train", "max_length"])
        yield node.problem(f"max_length {length} is more than the {found.positions} positions of the model")


def _expected(experiment: Node, fields: Mapping[str, Any]) -> tuple[str, ...]:
    node = experiment.get("expect")
    entries = (node.plain() if node else None) or []
    outcomes = [entry["outcome"] for entry in entries if matches(entry.get("where", {}), fields)]
    flat = [name for outcome in outcomes for name in ([outcome] if isinstance(outcome, str) else outcome)]
    return tuple(dict.fromkeys(flat)) or ("ok",)


def unused_references(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    """Warnings of references and expectations that no case agrees with; the spec must be without mistakes."""
    yield from _unused_expectations(spec, cases)
    for reference in spec.references:
        mine = [case for case in cases if case.experiment == reference.experiment]
        if not any(matches(reference.where, case.fields) for case in mine):
            yield reference.mark.problem("no case agrees with this reference's 'where'", severity="warning")
        for path in reference.per or ():
            if all(lookup(case.fields, path) is None for case in mine):
                yield reference.mark.problem(f"no case has the field '{path}' of this 'per'", severity="warning")
        if reference.hardware and reference.hardware not in spec.registry.names("hardware"):
            known = spec.registry.names("hardware")
            message = f"no hardware is called '{reference.hardware}'{suggest(reference.hardware, known)}"
            yield reference.mark.problem(message, severity="warning")


def _unused_expectations(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    for name, node in spec.experiments.items():
        mine = [case.fields for case in cases if case.experiment == name]
        for entry in node.at(["expect"]).value if node.get("expect") else []:
            where = entry.get("where")
            if where and not any(matches(where.plain(), fields) for fields in mine):
                yield entry.problem("no case agrees with this expectation's 'where'", severity="warning")


def _id(said: Mapping[str, Any], combination: Combination) -> str:
    """`opt-6.7b-rows-10000-1f9c2a`: the model, what else was varied, and a digest of all that the spec says."""
    others = [_words(path, node.plain()) for path, node in combination.items() if path not in ("model", "model.name")]
    words = "-".join([said["model"]["name"], *others])
    slug = re.sub(r"[^a-z0-9._]+", "-", words.lower()).strip("-.")[:80]
    return f"{slug}-{_digest(said)}"


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _words(path: str, value: Any) -> str:
    """A value of an axis in a case's id: a plugin by its name, a number with the last word of its path."""
    if isinstance(value, dict):
        options = [f"{key}-{item}" for key, item in value.items() if key != "name" and not isinstance(item, dict)]
        return "-".join([*([str(value["name"])] if "name" in value else []), *options])
    return str(value) if path in CASE_KINDS else f"{path.split('.')[-1]}-{value}"
