"""`Spec`: a document that was checked against the schema with every plugin's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from benchspec.kinds.bases import CASE_KINDS, Hardware
from benchspec.kinds.faults import defined_at, explained, wrong
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.kinds.report_files import report_files
from benchspec.kinds.values import FIGURES, Fact, Facts
from benchspec.spec import choices, document, mistakes, references, schema
from benchspec.spec.document import Node
from benchspec.spec.packs import with_packs
from benchspec.spec.references import Reference
from benchspec.spec.sources import included, with_sets
from benchspec.terms.errors import PluginError, Problem, SpecError, first
from benchspec.terms.layout import report_problem


@dataclass(frozen=True, repr=False)
class Spec:
    """A checked spec: what to measure, and the published values."""

    file: Path
    #: the whole document, each value with its position
    node: Node
    #: the plugins that it was checked against
    registry: Registry
    #: the schema that it was checked against, with the plugins' options
    schema: Mapping[str, Any]
    #: `PATH=VALUE`s of the command line, already applied to the document
    sets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        number = len(self.experiments)
        return f"<Spec {self.name!r}: {number} experiment{'' if number == 1 else 's'}, from {self.node.mark.file}>"

    @property
    def name(self) -> str:
        return str(self.node.at(["name"]).value)

    @property
    def hardware(self) -> Node | None:
        return self.node.get("hardware")

    @property
    def experiments(self) -> dict[str, Node]:
        found: dict[str, Node] = self.node.at(["experiments"]).value
        return found

    @cached_property
    def default_plugins(self) -> dict[str, str]:
        """kind -> the plugin that a spec which names none of it has; the default of some kinds depends on others."""
        return _default_plugins(self.registry, self.schema)

    @cached_property
    def report(self) -> list[Any]:
        """The reporters, each a name or a mapping with options and `path`."""
        node = self.node.get("report")
        if node is None:
            return [self._own_reporter(entry) for entry in self.schema["properties"]["report"]["default"]]
        return [choices.with_absolute_paths(self.registry, "reporter", entry) for entry in node.value]

    def _own_reporter(self, entry: str | Mapping[str, Any]) -> str | dict[str, Any]:
        if isinstance(entry, str):
            return self.registry.own("reporter", entry)
        return {**entry, "name": self.registry.own("reporter", entry["name"])}

    @cached_property
    def references(self) -> list[Reference]:
        """Every published value, numbers in their metric's unit."""
        node = self.node.get("references")
        return [reference for group in (node.value if node else []) for reference in references.in_group(group)]

    @cached_property
    def hardware_is_valid(self) -> bool:
        """Whether the spec's `hardware` passes the schema."""
        if self.hardware is None or self.registry.has("hardware", str(self.hardware.value)):
            return True
        return schema.validator(self.schema, "hardware").is_valid(self.hardware.plain())

    @cached_property
    def facts(self) -> Facts:
        """The facts of the spec's machine; raises `PluginError` if the hardware plugin fails."""
        return facts_of(self.registry, self.hardware_options)

    @cached_property
    def hardware_options(self) -> dict[str, Any]:
        """The spec's hardware as `{name, option…}`, with every option."""
        node = self.hardware or document.bare(self.default_plugins["hardware"])
        return completed(self.registry, "hardware", choices.with_absolute_paths(self.registry, "hardware", node))

    def plain(self) -> dict[str, Any]:
        """The resolved document, includes and `--set` applied, as plain values."""
        data: dict[str, Any] = self.node.plain()
        return {key: value for key, value in data.items() if key != "include" and not key.startswith("x-")}


def load(path: str | Path, sets: str | Sequence[str] = (), registry: Registry | None = None) -> Spec:
    """The spec in a file; raises `SpecError` with all its mistakes."""
    spec, problems = check(path, [sets] if isinstance(sets, str) else sets, registry)
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def check(
    path: str | Path, sets: Sequence[str] = (), registry: Registry | None = None
) -> tuple[Spec | None, list[Problem]]:
    """The spec in a file, None if it cannot be read, and every problem in it that shows without its cases."""
    registry = registry or Registry.load()
    composed = schema.compose(registry)
    try:
        root = with_packs(with_sets(included(Path(path), str(path)), sets, _default_plugins(registry, composed)))
    except SpecError as error:
        return None, error.problems
    if isinstance(root.value, list) and all(entry.get("source") for entry in root.value):
        return None, [root.problem("this is a reference pack and no spec; name it under 'references' of a spec")]
    spec = Spec(Path(path).absolute(), root, registry, composed, tuple(sets))
    problems = first(mistakes.problems(schema.validator(composed), root, registry))
    if not problems:
        problems = first([*references.problems(root, composed), *_report_problems(spec)])
    elif _are_of_cases(problems, root, str(path)):
        problems = first([*problems, *references.problems(root, composed)])
    return spec, problems


def _default_plugins(registry: Registry, composed: Mapping[str, Any]) -> dict[str, str]:
    fragments = {**composed["$defs"]["fields"]["properties"], "hardware": composed["properties"]["hardware"]}
    defaults = {kind: fragments[kind].get("default") for kind in (*CASE_KINDS, "hardware")}
    return {kind: registry.own(kind, name) for kind, name in defaults.items() if name}


def _are_of_cases(problems: Sequence[Problem], root: Node, path: str) -> bool:
    """Whether mistakes of form leave references and expectations in a form that can be checked."""
    experiments = root.get("experiments")
    if experiments is None or not isinstance(experiments.value, Mapping):
        return False
    whole = all(isinstance(experiment.value, Mapping) for experiment in experiments.value.values())
    apart = (each.file == path and "expect" not in each.path and "references" not in each.path for each in problems)
    return whole and all(apart)


def facts_of(registry: Registry, value: Mapping[str, Any]) -> Facts:
    """The facts of a hardware plugin; their types are checked now, because a mistake would show hours later."""
    entry = registry.find("hardware", value["name"])
    try:
        hardware = cast(Hardware, registry.create("hardware", value))
        facts = hardware.facts()
    except Exception as error:
        said = explained(error, registry.packages, entry.cls)
        raise PluginError(f"{entry.origin}: facts() failed: {said}") from error
    if not isinstance(facts, Facts):
        raise PluginError(f"{entry.origin}: {wrong(hardware.facts, facts, 'a Facts')}")
    for name, found, wanted in _wrong(facts):
        raise PluginError(f"{entry.origin}: facts().{name} is {found!r}, not {wanted}{defined_at(hardware.facts)}")
    return facts


def _wrong(facts: Facts) -> Iterator[tuple[str, Any, str]]:
    """Each value in `facts` of a wrong type: its name, the value, and the expected type."""
    if not isinstance(facts.accelerator, str | None):
        yield "accelerator", facts.accelerator, "a string, or None"
    if type(facts.accelerators) is not int or facts.accelerators < 0:
        yield "accelerators", facts.accelerators, "an integer from 0"
    if not (facts.currency is None or isinstance(facts.currency, str)):
        yield "currency", facts.currency, "a string such as 'USD', or None"
    if not isinstance(facts.peak, Mapping):
        yield "peak", facts.peak, "a mapping"
        return
    figures = {name: getattr(facts, name) for name in FIGURES}
    peaks = {f"peak[{precision!r}]": figure for precision, figure in facts.peak.items()}
    for name, figure in (figures | peaks).items():
        if figure is not None and not _is_fact(figure, 0 if name == "price_per_hour" else _SMALLEST):
            yield name, figure, "a Fact with a number, or None"


def _is_fact(figure: Any, smallest: float) -> bool:
    """Whether a figure has a source and is a finite number that metrics can be divided by."""
    if not (isinstance(figure, Fact) and isinstance(figure.source, str)):
        return False
    return type(figure.value) in (int, float) and smallest <= figure.value <= 1e100


_SMALLEST = 1e-100


def _report_problems(spec: Spec) -> Iterator[Problem]:
    """Report paths that would overwrite something else or lie outside the run directory."""
    entries: list[Node] = (spec.node.get("report") or document.bare([])).value
    values = [choices.with_absolute_paths(spec.registry, "reporter", entry) for entry in entries]
    files = zip(entries, report_files(spec.registry, values), strict=True)
    taken: list[str] = []
    # Those without a path first: where theirs lies, they do not say.
    for entry, file in sorted(files, key=lambda pair: pair[0].get("path") is not None):
        path = entry.get("path")
        if path and (problem := report_problem(path.value)):
            yield path.problem(problem)
            continue
        if file is None:
            continue
        if other := next((each for each in taken if _overlap(file, each)), None):
            yield (path or entry).problem(f"another report has the path '{other}'; give one of them another `path`")
        taken.append(file)


def _overlap(one: str, other: str) -> bool:
    """Whether two files are the same, or one would have to be a folder for the other."""
    parts = [each.split("/") for each in (one, other)]
    return all(mine == theirs for mine, theirs in zip(*parts, strict=False))
