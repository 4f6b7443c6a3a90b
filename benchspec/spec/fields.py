"""The fields of one case: checked, and completed with every value that the spec leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from benchspec.kinds.bases import CASE_KINDS, SECTIONS, Backend, Launcher, Method, Model, Plugin, Recipe
from benchspec.kinds.checks import is_count
from benchspec.kinds.faults import explained, returned, shape_of, share_of, wrong
from benchspec.kinds.options import as_given, completed, section
from benchspec.kinds.registry import Registry
from benchspec.kinds.values import Facts
from benchspec.spec import choices, document, mistakes, schema
from benchspec.spec.document import Node
from benchspec.spec.spec import Spec
from benchspec.terms.errors import BenchspecError, Problem
from benchspec.terms.harmless import clipped

#: the fields that every case must be given
REQUIRED = ("model", "dataset")
#: the lowest temperature at which tokens can be drawn
LEAST_TEMPERATURE = 0.01


@dataclass
class Fields:
    """A case's fields, and what is wrong with them."""

    #: the fields that the spec gives, without defaults, each plugin as a mapping: a case's id is a digest of these
    said: dict[str, Any]
    #: every field, defaults filled in, as a worker reads it
    values: dict[str, Any] = field(default_factory=dict)
    #: the plugins that `values` describes, by kind; without those that reject their options
    plugins: dict[str, Plugin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: what is not on this machine, such as data: needed to run, not to plan
    missing: list[Problem] = field(default_factory=list)


class FieldCheck:
    """Checks the fields of whole cases; a value that several cases of a matrix share is checked once."""

    def __init__(self, registry: Registry):
        self._registry = registry
        self._check = schema.validator(schema.compose(registry, whole=True), "fields")
        #: fields without mistakes: the field, and its value as text
        self._valid: set[tuple[str, str]] = set()

    def problems(self, fields: Node, *, whole: bool = True) -> Iterator[Problem]:
        """The schema's errors for a case; one that is not `whole` may lack fields."""
        for key in REQUIRED if whole else ():
            if key not in fields.value:
                yield fields.problem(f"'{key}' is missing; give it here, in the matrix or under defaults", at_key=True)
        for key, node in fields.value.items():
            value = repr(node.plain())
            if (key, value) in self._valid:
                continue
            if found := self._problems(fields, key, node):
                yield from found
            else:
                self._valid.add((key, value))

    def _problems(self, fields: Node, key: str, node: Node) -> list[Problem]:
        whole = _as_mapping(node) if key in CASE_KINDS else node
        return list(mistakes.problems(self._check, replace(fields, value={key: whole}), self._registry))


def _as_mapping(node: Node) -> Node:
    """A plugin given by name alone as a mapping, so that its required options are checked."""
    return replace(node, value={"name": node}) if isinstance(node.value, str) else node


class Missing:
    """What plugins need and cannot have on this machine; one that several cases share is asked once."""

    def __init__(self, registry: Registry, *, online: bool):
        self._registry, self._online = registry, online
        #: (kind, the plugin's value as text) -> what it says
        self._known: dict[tuple[str, str], list[str]] = {}

    def problems(self, fields: Node, values: Mapping[str, Any], plugins: Mapping[str, Plugin]) -> Iterator[Problem]:
        """What a case's plugins lack, each at its place in the spec."""
        for kind, plugin in plugins.items():
            value = repr(values[kind])
            if (kind, value) not in self._known:
                self._known[kind, value] = self._said(kind, values[kind]["name"], plugin)
            yield from map(fields.at([kind]).problem, self._known[kind, value])

    def _said(self, kind: str, name: str, plugin: Plugin) -> list[str]:
        try:
            lines: Any = plugin.missing(self._online)
            if isinstance(lines, str):
                raise wrong(plugin.missing, lines, "a list of lines")
            return list(map(str, lines))
        except Exception as error:
            entry = self._registry.find(kind, name)
            said = explained(error, self._registry.packages, entry.cls)
            return [f"{entry.origin} cannot say what is missing: {said}"]


def complete(spec: Spec, fields: Node, missing: Missing) -> Fields:
    """The completed fields of a case that passed the schema."""
    found = Fields(_given(spec.registry, fields))
    definitions = spec.schema["$defs"]
    for kind in CASE_KINDS:
        default = spec.default_plugins.get(kind)
        node = fields.get(kind) or (document.bare(default) if default else None)
        if node:
            found.values[kind] = completed(spec.registry, kind, choices.with_absolute_paths(spec.registry, kind, node))
            nodes = choices.missing_files(spec.registry, kind, node)
            found.missing += [node.problem(_no_file(node)) for node in nodes]
    for name in SECTIONS:
        found.values[name] = section(definitions[name], _plain(fields.get(name)))
    repeats = fields.get("repeats")
    found.values["repeats"] = int(repeats.plain()) if repeats else 1
    _settle(spec, fields, found)
    found.missing += missing.problems(fields, found.values, found.plugins)
    return found


def _no_file(node: Node) -> str:
    folder = node.mark.folder
    relative = folder and not node.value.startswith(("/", "~"))
    looked = f" (looked for in {folder.absolute()})" if folder and relative else ""
    return f"'{clipped(node.value, 300)}' does not exist{looked}"


def _given(registry: Registry, fields: Node) -> dict[str, Any]:
    return {
        key: as_given(registry, key, node.plain()) if key in CASE_KINDS else node.plain()
        for key, node in fields.value.items()
        if key != "repeats"
    }


def _plain(node: Node | None) -> dict[str, Any] | None:
    return node.plain() if node else None


def _settle(spec: Spec, fields: Node, found: Fields) -> None:
    """Set what depends on the machine or on another field, and check that the plugins work together."""
    count = None
    try:
        facts = spec.facts if spec.hardware_is_valid else Facts(accelerator=None, accelerators=0)
    except BenchspecError as error:
        found.problems.append((spec.hardware or fields).problem(str(error)))
        facts = Facts(accelerator=None, accelerators=0)
    try:
        launcher = _settled_launcher(spec, found.values, facts)
        count = _process_count(launcher)
        found.plugins["launcher"] = launcher
    except Exception as error:
        found.problems.append(_refusal(spec, fields, found.values, "launcher", error))
    if "backend" not in found.values:
        name = spec.registry.own("backend", "fsdp" if count is not None and count > 1 else "single")
        found.values["backend"] = completed(spec.registry, "backend", name)
    plugins = found.plugins
    plugins |= _created(spec, fields, found)
    if method := cast(Method | None, plugins.get("method")):
        found.problems += _unanswerable(fields, found.values, method)
    if count is not None and {"backend", "recipe"} <= plugins.keys():
        backend, recipe = cast(Backend, plugins["backend"]), cast(Recipe, plugins["recipe"])
        found.problems += _incompatible(fields, found.values, count, backend, recipe)
    if model := cast(Model | None, plugins.get("model")):
        found.problems += _misshapen(spec, fields, found.values, model, method)


def _process_count(launcher: Launcher) -> int:
    count = launcher.processes()
    if not is_count(count):
        raise wrong(launcher.processes, count, "a number of at least 1")
    return count


def _settled_launcher(spec: Spec, values: dict[str, Any], facts: Facts) -> Launcher:
    """The launcher after it has settled its options, which are also written to the case's values."""
    backend = spec.registry.find("backend", values["backend"]["name"]).cls if "backend" in values else Backend
    method = spec.registry.find("method", values["method"]["name"]).cls
    launcher = cast(Launcher, spec.registry.create("launcher", values["launcher"]))
    # One process is enough to ask a model that is not trained.
    only = cast(type[Backend], backend).processes if cast(type[Method], method).trains else 1
    options = launcher.settle(facts, only)
    settled = returned(launcher.settle, options, Mapping, "a mapping of its options")
    plain = {key: value for key, value in settled.items() if not isinstance(value, Plugin)}
    values["launcher"] |= plain
    return cast(Launcher, spec.registry.create("launcher", values["launcher"]))


def _created(spec: Spec, fields: Node, found: Fields) -> Iterator[tuple[str, Plugin]]:
    """(kind, plugin) for all but the launcher; a plugin that rejects its options becomes a problem."""
    for kind in CASE_KINDS:
        if kind != "launcher":
            try:
                yield kind, spec.registry.create(kind, found.values[kind])
            except Exception as error:
                found.problems.append(_refusal(spec, fields, found.values, kind, error))


def _refusal(spec: Spec, fields: Node, values: Mapping[str, Any], kind: str, error: Exception) -> Problem:
    """The problem for a plugin's exception: its own message, or for a bug the exception with its file and line."""
    node = fields.at([kind])
    if isinstance(error, BenchspecError):
        return node.problem(str(error))
    entry = spec.registry.find(kind, values[kind]["name"])
    return node.problem(f"{entry.origin} rejects its options: {explained(error, spec.registry.packages, entry.cls)}")


def _incompatible(
    fields: Node, values: Mapping[str, Any], count: int, backend: Backend, recipe: Recipe
) -> Iterator[Problem]:
    """Problems of plugins that are valid on their own and do not work together."""
    names = {kind: values[kind]["name"] for kind in CASE_KINDS}
    only = backend.processes
    if only is not None and count != only:
        yield fields.at(["backend"]).problem(
            f"the backend '{names['backend']}' runs on {only} process{'' if only == 1 else 'es'}, but the launcher "
            f"'{names['launcher']}' starts {count}; choose another backend or another number of processes"
        )
    optimizer = values["train"]["optimizer"]
    if backend.optimizers is not None and optimizer not in backend.optimizers:
        yield fields.at(["train", "optimizer"]).problem(
            f"the backend '{names['backend']}' does not support the optimizer '{optimizer}' "
            f"(supported: {', '.join(backend.optimizers)}); choose another optimizer or backend"
        )
    if str(recipe.drives) not in backend.dialects():
        yield fields.at(["recipe"]).problem(_no_common_dialect(names, recipe.drives))


def _unanswerable(fields: Node, values: Mapping[str, Any], method: Method) -> Iterator[Problem]:
    """Problems of what the model is asked: nothing, although it is not trained, or what cannot be loaded again."""
    name, query = values["method"]["name"], values["query"]
    if query is None:
        if not method.trains:
            yield fields.at(["method"]).problem(
                f"the method '{name}' does not train, so there is nothing to measure without a `query`; "
                "give one, such as `query: {prompts: [Give three tips for staying healthy.]}`"
            )
        return
    if query["prompts"] is None:
        yield fields.at(["query"]).problem("'prompts' is missing; give the instructions that the model is asked")
    if 0 < query["temperature"] < LEAST_TEMPERATURE:
        yield fields.at(["query", "temperature"]).problem(
            f"temperature {query['temperature']:g} is too low to draw with; give 0 for the most likely token each time"
        )
    if not method.loads:
        yield fields.at(["query"]).problem(
            f"the method '{name}' saves nothing that can be loaded again, so its model cannot be asked; remove `query`"
        )


def _no_common_dialect(names: Mapping[str, str], drives: str) -> str:
    wanted = {
        "engine": "has a training loop of its own, which needs a backend with the method 'spread'",
        "trainer": "trains with transformers.Trainer, which needs a backend with 'arguments' or 'trainer'",
    }.get(str(drives), f"asks for '{drives}', which no backend supports (known: engine, trainer)")
    refused = f"the backend '{names['backend']}' does not support that; choose another recipe or backend"
    return f"the recipe '{names['recipe']}' {wanted}; {refused}"


def _misshapen(
    spec: Spec, fields: Node, values: Mapping[str, Any], model: Model, method: Method | None
) -> Iterator[Problem]:
    """Problems of a model's shape: it is too short for what is asked of it, or the method is not for it."""
    lengths = _lengths(values, method)
    try:
        shape = shape_of(model)
    except Exception as error:
        yield _refusal(spec, fields, values, "model", error)
        return
    if shape and method:
        try:
            share_of(method, shape)
        except Exception as error:
            yield _refusal(spec, fields, values, "method", error)
    for path, length in lengths.items():
        # A prompt has at least one token.
        beside = 1 if path[0] == "query" else 0
        if shape and shape.positions is not None and length + beside > shape.positions:
            room = f"the {shape.positions} positions of the model"
            message = f"{path[-1]} {length} is more than {room}" + (" leave beside a prompt" if beside else "")
            yield fields.at(list(path)).problem(message)


def _lengths(values: Mapping[str, Any], method: Method | None) -> dict[tuple[str, str], int]:
    """The path of each setting that is a number of tokens, and its value."""
    trains = {"train": "max_length"} if method is None or method.trains else {}
    asks = {"query": "max_new_tokens"} if values["query"] is not None else {}
    return {(section, key): values[section][key] for section, key in {**trains, **asks}.items()}
