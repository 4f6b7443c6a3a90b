"""YAML text -> a tree of nodes, every value knowing its file, line and column; merging such trees.

YAML 1.2's core schema, and no more: `2e-5` is a number, `no` and `on` are strings, no tag makes an object. Digits may
be grouped with underscores, as in `10_000`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchspec.terms.errors import Problem, SpecError

Step = str | int
#: more values than any honest spec has; aliases of aliases reach billions with a few lines
MOST_NODES = 100_000
#: levels of nesting; a spec of five is deep
DEEPEST = 50


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    #: what a relative path that stands here is relative to; None for a plugin's own defaults
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it was written."""

    value: Any
    mark: Mark
    #: of the key that the value stands under; the value's own in a list
    key: Mark
    #: the value's path in the file that it was written in
    path: tuple[Step, ...]

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def at(self, path: Sequence[Step]) -> Node:
        """The node at a path, or the nearest one above it."""
        node = self
        for step in path:
            try:
                node = node.value[step]
            except (KeyError, IndexError, TypeError):
                break
        return node

    def problem(self, message: str, *, at_key: bool = False, severity: str = "error") -> Problem:
        mark = self.key if at_key else self.mark
        return Problem(mark.file, mark.line, mark.column, dotted(self.path), message, severity)


def dotted(path: Sequence[Step]) -> str:
    """`("experiments", "sizes", "matrix", "model", 2)` as `experiments.sizes.matrix.model[2]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def bare(value: Any) -> Node:
    """A tree for a value that no file holds: a plugin's default, or a preset's option."""
    nowhere = Mark("", 1, 1, None)
    if isinstance(value, Mapping):
        value = {key: bare(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        value = [bare(item) for item in value]
    return Node(value, nowhere, nowhere, ())


def parse(text: str, file: str, folder: Path, path: tuple[Step, ...] = ()) -> Node:
    """The tree of a YAML text; raises `SpecError` with the place of what is wrong."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise SpecError([_broken(error, file)]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(file, 1, 1, "", f"broken YAML: {_one_line(error)}")]) from None
    except RecursionError:
        raise SpecError([Problem(file, 1, 1, "", "broken YAML: nested too deeply")]) from None
    if root is None:
        raise SpecError([Problem(file, 1, 1, "", "the file is empty")])
    tree = _Tree(file, folder)
    node = tree.node(root, path)
    if tree.problems:
        raise SpecError(sorted(tree.problems))
    return node


def read(file: Path, shown: str, asked: Node | None = None) -> Node:
    """The tree of a YAML file, called `shown` in messages; `asked` is where another file includes it."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
    except UnicodeDecodeError:
        reason = "not a text file in UTF-8"
    else:
        return parse(text, shown, file.parent)
    problem = asked.problem(f"cannot read '{shown}': {reason}") if asked else Problem(shown, 1, 1, "", reason)
    raise SpecError([problem])


def merge(base: Node | None, over: Node) -> Node:
    """`over` wins; mappings merge deeply, unless they name different plugins."""
    if base is None or not isinstance(base.value, dict) or not isinstance(over.value, dict) or _renames(base, over):
        return over
    return replace(over, value=base.value | {key: merge(base.get(key), node) for key, node in over.value.items()})


def merge_roots(base: Node, over: Node) -> Node:
    """As `merge`, for whole files, whose names are not those of plugins."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    return replace(over, value=base.value | {key: merge(base.get(key), node) for key, node in over.value.items()})


def assign(root: Node, path: Sequence[str], value: Node) -> Node:
    """`root` with `value` at a path; a plugin that is named by a string on the way becomes a mapping."""
    if not path:
        return merge(root, value)
    entries = root.value if isinstance(root.value, dict) else {"name": root} if isinstance(root.value, str) else {}
    below = entries.get(path[0]) or replace(value, value={})
    child = assign(below, path[1:], value) if len(path) > 1 or path[0] in entries else value
    return replace(root, value=entries | {path[0]: child})


def _renames(base: Node, over: Node) -> bool:
    names = [node.get("name") for node in (base, over)]
    return all(name is not None and isinstance(name.value, str) for name in names) and (
        names[0].value != names[1].value  # type: ignore[union-attr]
    )


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes with YAML 1.2's scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_CORE = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
for _name, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), _first)


class _Tree:
    """Turns PyYAML's nodes of one file into ours."""

    def __init__(self, file: str, folder: Path):
        self.file = file
        self.folder = folder
        self.problems: list[Problem] = []
        self.count = 0
        self.open: set[int] = set()

    def node(self, node: yaml.Node, path: tuple[Step, ...], key: Mark | None = None) -> Node:
        mark = self._mark(node)
        self.count += 1
        if self.count > MOST_NODES:
            raise SpecError([self._problem(node, path, f"the aliases expand to more than {MOST_NODES:,} values")])
        if len(path) > DEEPEST:
            raise SpecError([self._problem(node, path[:1], f"nested more than {DEEPEST} levels deep")])
        if id(node) in self.open:
            raise SpecError([self._problem(node, path, "the alias stands inside what it stands for")])
        self.open.add(id(node))
        value = self._value(node, path)
        self.open.remove(id(node))
        return Node(value, mark, key or mark, path)

    def _value(self, node: yaml.Node, path: tuple[Step, ...]) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return dict(self._entries(node, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.node(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and (kind := node.tag.removeprefix("tag:yaml.org,2002:")) in _SCALARS:
            return self._scalar(node, kind, path)
        return self._wrong(node, path, f"the tag '{node.tag}' is not allowed; a spec is plain data")

    def _entries(self, node: yaml.MappingNode, path: tuple[Step, ...]) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping, those merged with `<<` first, so that its own win."""
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                yield from self._merged(value, path)
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, path, "a key must be a string")
            elif first := seen.get(key.value):
                line = first.start_mark.line + 1
                self._wrong(key, (*path, key.value), f"duplicate key '{key.value}' (first in line {line})")
            else:
                seen[key.value] = key
                yield key.value, self.node(value, (*path, key.value), self._mark(key))

    def _merged(self, node: yaml.Node, path: tuple[Step, ...]) -> Iterator[tuple[str, Node]]:
        for source in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            tree = self.node(source, path)
            if isinstance(tree.value, dict):
                yield from tree.value.items()
            else:
                self._wrong(source, path, "'<<' merges mappings only")

    def _scalar(self, node: yaml.ScalarNode, kind: str, path: tuple[Step, ...]) -> Any:
        try:
            return _SCALARS[kind](node.value)
        except (ValueError, KeyError):
            return self._wrong(node, path, f"'{node.value}' is no finite {kind}")

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1, self.folder)

    def _problem(self, node: yaml.Node, path: tuple[Step, ...], message: str) -> Problem:
        mark = self._mark(node)
        return Problem(mark.file, mark.line, mark.column, dotted(path), message)

    def _wrong(self, node: yaml.Node, path: tuple[Step, ...], message: str) -> None:
        self.problems.append(self._problem(node, path, message))


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 8 if digits.startswith("0o") else 16 if digits.startswith("0x") else 10)


def _float(text: str) -> float:
    value = float(text.replace("_", ""))
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _integer,
    "float": _float,
    "str": str,
}


def _broken(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(file, line, column, "", f"broken YAML: {error.problem or _one_line(error)}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
