"""YAML text -> a tree of values with their positions.

Only YAML 1.2's core schema is supported: `2e-5` is a number, `no` and `on` are strings, and other tags are errors.
Digits may be grouped with underscores, as in `10_000`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchspec.spec.document import Mark, Node, Step, dotted
from benchspec.terms.errors import Problem, SpecError

#: values in one file, far more than specs have; a few lines of nested aliases expand to billions
MAX_NODES = 100_000
#: levels of nesting; specs rarely have more than five
MAX_DEPTH = 50


def parse(text: str, file: str, folder: Path, path: tuple[Step, ...] = ()) -> Node:
    """The tree of a YAML text; raises `SpecError` with the position of each mistake."""
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
    """The tree of a YAML file; messages call it `shown`, and `asked` is the entry that includes it, if any."""
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


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A PyYAML loader that recognises YAML 1.2's scalars."""

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
    """Converts PyYAML's nodes of one file to `Node`s."""

    def __init__(self, file: str, folder: Path):
        self.file = file
        self.folder = folder
        self.problems: list[Problem] = []
        self.count = 0
        self.open: set[int] = set()

    def node(self, node: yaml.Node, path: tuple[Step, ...], key: Mark | None = None) -> Node:
        mark = self._mark(node)
        self.count += 1
        if self.count > MAX_NODES:
            raise SpecError([self._problem(node, path, f"the aliases expand to more than {MAX_NODES:,} values")])
        if len(path) > MAX_DEPTH:
            raise SpecError([self._problem(node, path[:1], f"nested more than {MAX_DEPTH} levels deep")])
        if id(node) in self.open:
            raise SpecError([self._problem(node, path, "the alias refers to a value that contains it")])
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
        """A mapping's entries; those merged with `<<` come first, so that its own override them."""
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
            return self._wrong(node, path, f"'{node.value}' is not a finite {kind}")

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
