"""YAML text -> Spec: includes merged, `--set` applied, checked against the composed schema, frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any

from benchspec.kinds.registry import Registry
from benchspec.spec import document, schema
from benchspec.spec.document import Node
from benchspec.spec.references import KINDS_OF_VALUE, Reference
from benchspec.terms.errors import Problem, SpecError, suggest
from benchspec.terms.metrics import METRICS
from benchspec.terms.units import DURATIONS, SIZES, quantity

#: what a run directory holds beside reports
RESERVED = ("run.json", "results.jsonl", "cases", "data", ".lock")


@dataclass(frozen=True)
class Spec:
    """A benchmark, checked: what to measure, and what was published."""

    file: Path
    #: the whole document, every value with its place
    node: Node
    #: the plugins that it was checked against
    registry: Registry
    #: its schema, composed with their options
    schema: Mapping[str, Any]
    #: `PATH=VALUE`s of the command line, in the document already
    sets: tuple[str, ...] = ()

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

    @property
    def report(self) -> list[Any]:
        node = self.node.get("report")
        reporters: list[Any] = node.plain() if node else self.schema["properties"]["report"]["default"]
        return reporters

    @property
    def references(self) -> list[Reference]:
        """Every published value, numbers in their metric's unit."""
        node = self.node.get("references")
        return [reference for group in (node.value if node else []) for reference in _references(group)]

    def plain(self) -> dict[str, Any]:
        """The resolved document: what was read, merged and set."""
        data: dict[str, Any] = self.node.plain()
        return {key: value for key, value in data.items() if key != "include"}


def load(path: str | Path, sets: Sequence[str] = (), registry: Registry | None = None) -> Spec:
    """The spec in a file; raises `SpecError` with all its mistakes."""
    spec, problems = check(path, sets, registry)
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def check(
    path: str | Path, sets: Sequence[str] = (), registry: Registry | None = None
) -> tuple[Spec | None, list[Problem]]:
    """The spec in a file, if it can be read at all, and everything that the schema has against it."""
    registry = registry or Registry.load()
    try:
        root = _with_sets(_included(Path(path), str(path)), sets)
    except SpecError as error:
        return None, error.problems
    composed = schema.compose(registry)
    spec = Spec(Path(path).absolute(), root, registry, composed, tuple(sets))
    problems = list(schema.problems(schema.validator(composed), root, registry))
    if not problems:
        problems = [*_reference_problems(spec), *_report_problems(spec)]
    return spec, problems


def _included(file: Path, shown: str, asked: Node | None = None, above: tuple[Path, ...] = ()) -> Node:
    """A file's tree with the files that it includes merged beneath it."""
    if "\0" in str(file):
        raise SpecError([(asked or document.bare("")).problem("a path cannot hold a NUL character")])
    real = file.resolve()
    if asked and real in above:
        chain = " includes ".join(f"'{name.name}'" for name in (*above[above.index(real) :], real))
        raise SpecError([asked.problem(f"the includes go in a circle: {chain}")])
    root = document.read(file, shown, asked)
    base: Node | None = None
    for item in _include_list(root):
        tree = _included(file.parent / item.value, str(Path(shown).parent / item.value), item, (*above, real))
        base = document.merge_roots(base, tree) if base else tree
    return document.merge_roots(base, root) if base else root


def _include_list(root: Node) -> list[Node]:
    """The files to include; a value of another type is left to the schema."""
    node = root.get("include")
    items = node.value if node and isinstance(node.value, list) else []
    return [item for item in items if isinstance(item.value, str) and item.value]


def _with_sets(root: Node, sets: Sequence[str]) -> Node:
    for text in sets:
        root = _with_set(root, text)
    return root


def _with_set(root: Node, text: str) -> Node:
    """`root` with one `PATH=VALUE` of the command line; relative paths in it start at the working directory."""
    shown = f"--set {text}"
    path, equals, value = text.partition("=")
    parts = _set_path(path)
    if not equals or not all(parts):
        raise SpecError([Problem(shown, 1, 1, "", "expected PATH=VALUE, such as defaults.train.max_steps=20")])
    node = document.parse(value, shown, Path.cwd(), tuple(parts)) if value.strip() else None
    if node is None:
        raise SpecError([Problem(shown, 1, 1, path, "the value is empty; write null for none")])
    if parts[0] == "include":
        raise SpecError([node.problem("files are included before anything is set; name them in the file")])
    experiments = root.get("experiments")
    known = list(experiments.value) if experiments and isinstance(experiments.value, dict) else []
    if parts[0] == "experiments" and len(parts) > 1 and parts[1] not in known:
        message = f"no experiment is called '{parts[1]}' ({', '.join(known)}){suggest(parts[1], known)}"
        raise SpecError([node.problem(message)])
    return document.assign(root, parts, node)


def _set_path(path: str) -> list[str]:
    """The steps of a dotted path; below `matrix` all is one key, an axis."""
    parts = path.strip().split(".")
    if parts[0] == "experiments" and parts[2:3] == ["matrix"] and len(parts) > 3:
        return [*parts[:3], ".".join(parts[3:])]
    return parts


def _references(group: Node) -> Iterator[Reference]:
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
            mark=node,
        )


def _in_unit(value: Any, metric: str | None) -> Any:
    """A quantity, or a pair of them, as a number in the metric's unit."""
    if isinstance(value, list):
        return [_in_unit(item, metric) for item in value]
    if isinstance(value, str) and metric:
        units = {"s": DURATIONS, "bytes": SIZES}.get(METRICS[metric].unit)
        if units is None:
            raise ValueError(f"'{value}' has a unit, and {metric} is a plain number")
        return quantity(value, units)
    return value


def _reference_problems(spec: Spec) -> Iterator[Problem]:
    """What a schema cannot say of references and expectations."""
    fields = list(spec.schema["$defs"]["fields"]["properties"])
    for experiment in spec.experiments.values():
        for entry in experiment.at(["expect"]).value if experiment.get("expect") else []:
            yield from _where_problems(entry, fields)
    for group in spec.node.at(["references"]).value if spec.node.get("references") else []:
        metric = group.get("metric")
        for node in group.at(["values"]).value:
            yield from _where_problems(node, fields)
            yield from _reference_problem(node, metric.value if metric else None, list(spec.experiments), group)


def _reference_problem(node: Node, metric: str | None, experiments: list[str], group: Node) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS_OF_VALUE if kind in node.value]
    name = node.at(["experiment"])
    if name.value not in experiments:
        allowed = ", ".join(experiments)
        yield name.problem(f"no experiment is called '{name.value}' ({allowed}){suggest(name.value, experiments)}")
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        yield node.problem(f"give one of {', '.join(KINDS_OF_VALUE)}; found {found}")
    elif kinds[0] != "outcome" and metric is None:
        yield group.problem(f"'metric' is missing: what '{kinds[0]}' is a value of")
    elif ("slope" in kinds) != ("per" in node.value):
        yield node.problem("'slope' and 'per' belong together: so much of the metric per so much of a field")
    elif kinds[0] != "outcome":
        yield from _quantity_problem(node.at([kinds[0]]), metric)


def _report_problems(spec: Spec) -> Iterator[Problem]:
    """Reports that would be written over something else, or outside of the run directory."""
    node = spec.node.get("report")
    taken: set[str] = set()
    for entry in node.value if node else []:
        if path := entry.get("path"):
            if problem := _report_path(path.value, taken):
                yield path.problem(problem)
            taken.add(normpath(path.value))


def _report_path(path: str, taken: set[str]) -> str | None:
    """What is wrong with a report's path in the run directory."""
    first, *rest = Path(normpath(path)).parts or ["."]
    if "\0" in path or Path(path).is_absolute() or first in ("..", "."):
        return f"'{path}' is no file inside the run directory"
    if first in RESERVED or any(len(part) > 200 for part in (first, *rest)):
        return f"'{path}' is not free: {', '.join(RESERVED)} are benchspec's own"
    return f"another report has the path '{path}'" if normpath(path) in taken else None


def _where_problems(entry: Node, fields: list[str]) -> Iterator[Problem]:
    where = entry.get("where")
    for path, node in where.value.items() if where else ():
        if path.split(".")[0] not in fields:
            message = f"'{path}' is no field of a case ({', '.join(fields)}){suggest(path, fields)}"
            yield node.problem(message, at_key=True)


def _quantity_problem(node: Node, metric: str | None) -> Iterator[Problem]:
    try:
        value = _in_unit(node.plain(), metric)
    except ValueError as error:
        yield node.problem(str(error))
    else:
        if isinstance(value, list) and value[0] > value[1]:
            yield node.problem(f"{node.plain()[0]} is more than {node.plain()[1]}; the lowest comes first")
