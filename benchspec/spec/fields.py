"""The fields of one case: checked, and completed with every value that the spec leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from benchspec.kinds.bases import CASE_KINDS, SECTIONS, Backend, Launcher, Model, Plugin, Recipe
from benchspec.kinds.options import as_said, completed, section
from benchspec.kinds.registry import Registry
from benchspec.kinds.values import Facts
from benchspec.spec import choices, document, mistakes, schema
from benchspec.spec.document import Node
from benchspec.spec.spec import Spec
from benchspec.terms.errors import BenchspecError, Problem


@dataclass
class Fields:
    """A case's fields, and what is wrong with them."""

    #: as they were written, in one form whichever way that was: what a case's id is bound to
    said: dict[str, Any]
    #: every field with every value, as a worker gets it
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: data files that are not on this machine: needed to run, not to plan
    missing: list[Problem] = field(default_factory=list)


class FieldCheck:
    """Checks the fields of whole cases, each value once: the cases of a matrix share most of theirs."""

    def __init__(self, registry: Registry):
        self._registry = registry
        self._check = schema.validator(schema.compose(registry, whole=True), "fields")
        #: id of a node -> the node, which keeps the id its own, and what is wrong with it
        self._known: dict[int, tuple[Node, list[Problem]]] = {}

    def problems(self, fields: Node) -> Iterator[Problem]:
        """What the schema says against a whole case."""
        for key in ("model", "dataset"):
            if key not in fields.value:
                yield fields.problem(f"'{key}' is missing; give it here, in the matrix or under defaults", at_key=True)
        for key, node in fields.value.items():
            if id(node) not in self._known:
                self._known[id(node)] = node, self._problems(fields, key, node)
            yield from self._known[id(node)][1]

    def _problems(self, fields: Node, key: str, node: Node) -> list[Problem]:
        whole = _as_mapping(node) if key in CASE_KINDS else node
        return list(mistakes.problems(self._check, replace(fields, value={key: whole}), self._registry))


def _as_mapping(node: Node) -> Node:
    """A plugin's name as the mapping that it stands for, so that its required options are asked for."""
    return replace(node, value={"name": node}) if isinstance(node.value, str) else node


def complete(spec: Spec, fields: Node) -> Fields:
    """The fields of a case that the schema has nothing against."""
    found = Fields(_said(spec.registry, fields))
    definitions = spec.schema["$defs"]
    for kind in CASE_KINDS:
        default = definitions["fields"]["properties"][kind].get("default")
        node = fields.get(kind) or (document.bare(default) if default else None)
        if node:
            found.values[kind] = completed(spec.registry, kind, choices.placed(spec.registry, kind, node))
            nodes = choices.missing_files(spec.registry, kind, node)
            found.missing += [node.problem(f"'{node.value}' does not exist") for node in nodes]
    for name in SECTIONS:
        found.values[name] = section(definitions[name], _plain(fields.get(name)))
    _settle(spec, fields, found)
    return found


def _said(registry: Registry, fields: Node) -> dict[str, Any]:
    return {
        key: as_said(registry, key, node.plain()) if key in CASE_KINDS else node.plain()
        for key, node in fields.value.items()
    }


def _plain(node: Node | None) -> dict[str, Any]:
    return node.plain() if node else {}


def _settle(spec: Spec, fields: Node, found: Fields) -> None:
    """Decide what depends on the machine or on another field, and check what plugins say of each other."""
    count = None
    try:
        facts = spec.facts if spec.hardware_is_valid else Facts(accelerator=None, accelerators=0)
    except BenchspecError as error:
        found.problems.append((spec.hardware or fields).problem(str(error)))
        facts = Facts(accelerator=None, accelerators=0)
    try:
        count = _settled_launcher(spec, found.values, facts).processes()
    except Exception as error:
        found.problems.append(_refusal(spec, fields, found.values, "launcher", error))
    if "backend" not in found.values:
        name = "fsdp" if count is not None and count > 1 else "single"
        found.values["backend"] = completed(spec.registry, "backend", name)
    plugins = dict(_created(spec, fields, found))
    if count is not None and {"backend", "recipe"} <= plugins.keys():
        backend, recipe = cast(Backend, plugins["backend"]), cast(Recipe, plugins["recipe"])
        found.problems += _misfits(fields, found.values, count, backend, recipe)
    if model := cast(Model | None, plugins.get("model")):
        found.problems += _too_long(spec, fields, found.values, model)


def _settled_launcher(spec: Spec, values: dict[str, Any], facts: Facts) -> Launcher:
    """The launcher with its options settled, in the case's values too."""
    backend = spec.registry.find("backend", values["backend"]["name"]).cls if "backend" in values else Backend
    launcher = cast(Launcher, spec.registry.create("launcher", values["launcher"]))
    settled = launcher.settle(facts, cast(type[Backend], backend).processes)
    plain = {key: value for key, value in settled.items() if not isinstance(value, Plugin)}
    values["launcher"] |= plain
    return cast(Launcher, spec.registry.create("launcher", values["launcher"]))


def _created(spec: Spec, fields: Node, found: Fields) -> Iterator[tuple[str, Plugin]]:
    """The other plugins of a case, by kind; one that refuses its options is a problem."""
    for kind in CASE_KINDS:
        if kind != "launcher":
            try:
                yield kind, spec.registry.create(kind, found.values[kind])
            except Exception as error:
                found.problems.append(_refusal(spec, fields, found.values, kind, error))


def _refusal(spec: Spec, fields: Node, values: Mapping[str, Any], kind: str, error: Exception) -> Problem:
    """A plugin's own words against its options, or the exception of a broken one with where it comes from."""
    node = fields.at([kind])
    if isinstance(error, BenchspecError):
        return node.problem(str(error))
    origin = spec.registry.find(kind, values[kind]["name"]).origin
    return node.problem(f"{origin} refuses its options: {type(error).__name__}: {error}")


def _misfits(
    fields: Node, values: Mapping[str, Any], count: int, backend: Backend, recipe: Recipe
) -> Iterator[Problem]:
    """Plugins that are right one by one and do not fit together."""
    names = {kind: values[kind]["name"] for kind in CASE_KINDS}
    only = backend.processes
    if only is not None and count != only:
        yield fields.at(["backend"]).problem(
            f"the backend '{names['backend']}' runs on {only} process{'' if only == 1 else 'es'}, and the launcher "
            f"'{names['launcher']}' starts {count}; take another backend, or another number of processes"
        )
    if recipe.drives not in backend.dialects():
        yield fields.at(["recipe"]).problem(_no_common_dialect(names, recipe.drives))


def _no_common_dialect(names: Mapping[str, str], drives: str) -> str:
    wanted = {
        "engine": "has a training loop of its own, which needs a backend with the method 'spread'",
        "trainer": "trains with transformers.Trainer, which needs a backend with 'arguments' or 'trainer'",
    }.get(drives, f"asks for '{drives}', which no backend has (known: engine, trainer)")
    return f"the recipe '{names['recipe']}' {wanted}; the backend '{names['backend']}' has none; take another of either"


def _too_long(spec: Spec, fields: Node, values: Mapping[str, Any], model: Model) -> Iterator[Problem]:
    """Rows that are longer than the model can take."""
    length = values["train"]["max_length"]
    try:
        shape = model.shape()
    except Exception as error:
        yield _refusal(spec, fields, values, "model", error)
        return
    if shape and shape.positions is not None and length > shape.positions:
        node = fields.at(["train", "max_length"])
        yield node.problem(f"max_length {length} is more than the {shape.positions} positions of the model")
