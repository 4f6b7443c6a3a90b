"""A spec's files and `--set` -> one tree: a file overrides what it includes, and `--set` overrides the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchspec.kinds.bases import CASE_KINDS, FIELDS
from benchspec.spec import document, yaml12
from benchspec.spec.document import Node
from benchspec.spec.yaml12 import MAX_DEPTH, Budget
from benchspec.terms.errors import Problem, SpecError, distinct, suggest
from benchspec.terms.harmless import clipped


def included(
    file: Path,
    shown: str,
    asked: Node | None = None,
    above: tuple[str, ...] = (),
    budget: Budget | None = None,
) -> Node:
    """A file's tree, merged over the files that it includes; `budget` limits all of them together."""
    budget = budget or Budget()
    if "\0" in str(file):
        raise SpecError([(asked or document.bare("")).problem("a path cannot contain a NUL character")])
    real = os.path.realpath(file)
    if asked and real in above:
        chain = " includes ".join(f"'{Path(name).name}'" for name in (*above[above.index(real) :], real))
        raise SpecError([asked.problem(f"circular include: {chain}")])
    root = yaml12.read(file, shown, asked, budget)
    if asked and not isinstance(root.value, dict):
        raise SpecError([asked.problem(f"'{clipped(shown, 300)}' is no part of a spec: it must hold a mapping")])
    base: Node | None = None
    problems: list[Problem] = []
    for item in _include_list(root):
        there = file.parent / item.value, str(Path(shown).parent / item.value)
        try:
            tree = included(*there, item, (*above, real), budget)
        except SpecError as error:
            if budget.files < 0 or budget.bytes < 0:
                raise
            problems += error.problems
            continue
        base = document.merge_roots(base, tree) if base else tree
    if problems:
        raise SpecError(distinct(problems))
    return document.merge_roots(base, root) if base else root


def name_of(path: str) -> str:
    """The benchmark's name in a spec, which need not be valid; raises `SpecError` if it cannot be read."""
    node = included(Path(path), path).get("name")
    return str(node.value) if node and isinstance(node.value, str) else "spec"


def _include_list(root: Node) -> list[Node]:
    """The files to include; the schema reports values of another type."""
    node = root.get("include")
    items = node.value if node and isinstance(node.value, list) else []
    return [item for item in items if isinstance(item.value, str) and item.value]


def with_sets(root: Node, sets: Sequence[str], plugins: Mapping[str, str]) -> Node:
    """The tree with each `PATH=VALUE` set; an option of a plugin that is not written there is one of the inherited.

    `plugins` names the default plugin of each kind that has one.
    """
    for path, node in assignments(root, sets):
        _check_experiment(root, path, node)
        root = document.assign(_with_plugin(root, path, plugins), path, node)
    return root


def _with_plugin(root: Node, path: Sequence[str], plugins: Mapping[str, str]) -> Node:
    """The tree with the plugin whose option a path leads to, if it is not written there: of `defaults`, or a default.

    `launcher.processes` alone would be a launcher without a name.
    """
    depth = {"defaults": 1, "experiments": 2}.get(path[0], 0)
    place, kind = path[: depth + 1], "".join(path[depth : depth + 1])
    names_it = list(path[depth + 1 :]) == ["name"]
    if len(path) <= depth + 1 or kind not in (*CASE_KINDS, "hardware") or names_it or _at(root, place):
        return root
    inherited = _at(root, ["defaults", kind]) if depth else None
    if inherited is None:
        inherited = document.bare(plugins[kind]) if kind in plugins else None
    return document.assign(root, place, inherited) if inherited else root


def _at(root: Node, path: Sequence[str]) -> Node | None:
    node: Node | None = root
    for step in path:
        node = node.get(step) if node else None
    return node


def assignments(root: Node, sets: Sequence[str]) -> list[tuple[list[str], Node]]:
    """The path and the value of each `PATH=VALUE` of the command line; relative paths start from the working directory.

    Raises `SpecError` for one that cannot be read.
    """
    return [_assignment(text, _experiments(root)) for text in sets]


def _assignment(text: str, experiments: Sequence[str]) -> tuple[list[str], Node]:
    shown = f"--set {text}"
    path, equals, value = text.partition("=")
    parts = _set_path(path, experiments)
    if not equals or not all(parts):
        raise SpecError([Problem(shown, 1, 1, "", "expected PATH=VALUE, such as defaults.train.max_steps=20")])
    if len(parts) > MAX_DEPTH:
        raise SpecError([Problem(clipped(shown, 100), 1, 1, "", f"a path has at most {MAX_DEPTH} parts")])
    node = yaml12.parse(value, shown, Path.cwd(), tuple(parts)) if value.strip() else None
    if node is None:
        raise SpecError([Problem(shown, 1, 1, path, "the value is empty; write null for none")])
    if parts[0] == "include":
        raise SpecError([node.problem("files are included before --set is applied; write 'include' in the file")])
    return parts, node


def _check_experiment(root: Node, path: Sequence[str], node: Node) -> None:
    known = _experiments(root)
    if path[0] == "experiments" and len(path) > 1 and path[1] not in known:
        message = f"no experiment is called '{clipped(path[1])}' ({', '.join(known)}){suggest(path[1], known)}"
        raise SpecError([node.problem(message)])


def _experiments(root: Node) -> list[str]:
    found = root.get("experiments")
    return list(found.value) if found and isinstance(found.value, dict) else []


def _set_path(path: str, experiments: Sequence[str]) -> list[str]:
    """The steps of a dotted path; an experiment's name may have dots, and all after `matrix` is one key, of an axis."""
    parts = path.strip().split(".")
    dotted = ".".join(parts[1:]) + "."
    fitting = sorted((name for name in experiments if dotted.startswith(f"{name}.")), key=len, reverse=True)
    ways = [[parts[0], name, *parts[name.count(".") + 2 :]] for name in fitting] if parts[0] == "experiments" else []
    # Of two names of which one begins with the other, the one after which there is a key of an experiment.
    parts = next(
        (way for way in ways if way[2:3] and way[2] in (*FIELDS, "title", "matrix", "expect")), [*ways, parts][0]
    )
    if parts[0] == "experiments" and parts[2:3] == ["matrix"] and len(parts) > 3:
        return [*parts[:3], ".".join(parts[3:])]
    return parts
