"""YAML text -> a tree of values with their positions.

Only YAML 1.2's core schema is supported: `2e-5` is a number, `no` and `on` are strings, and other tags are errors.
Digits may be grouped with underscores, as in `10_000`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchspec.spec.document import Mark, Node, Step, dotted
from benchspec.terms.errors import Problem, SpecError
from benchspec.terms.harmless import clipped

#: levels of nesting; specs rarely have more than five
MAX_DEPTH = 50
#: in a spec and all that it includes; far more than specs have
MAX_FILES = 100
MAX_BYTES = 10_000_000
MAX_VALUES = 100_000
#: an integer of more digits, in any base, has more than 64 bits
MAX_DIGITS = 64


@dataclass
class Budget:
    """How much of a spec may still be read: a few lines of includes or aliases can stand for billions of values."""

    files: int = MAX_FILES
    bytes: int = MAX_BYTES
    values: int = MAX_VALUES


def parse(text: str, file: str, folder: Path, path: tuple[Step, ...] = (), budget: Budget | None = None) -> Node:
    """The tree of a YAML text; raises `SpecError` with the position of each mistake."""
    budget = budget or Budget()
    try:
        _check_size(text, file, budget.values)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise SpecError([_broken(error, file, text)]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(file, 1, 1, "", f"broken YAML: {_one_line(error)}")]) from None
    except UnicodeEncodeError:
        raise SpecError([Problem(file, 1, 1, "", "not text in UTF-8")]) from None
    if root is None:
        raise SpecError([Problem(file, 1, 1, "", "the file is empty")])
    tree = _Tree(file, folder, budget)
    node = tree.node(root, path)
    if tree.problems:
        raise SpecError(sorted(tree.problems))
    return node


def _check_size(text: str, file: str, values: int) -> None:
    """Raise `SpecError` for too many values or levels; composing them would exhaust the memory or the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.NodeEvent):
            values -= 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or values < 0:
            mark: Any = event.start_mark
            message = _TOO_DEEP if depth > MAX_DEPTH else _TOO_MANY
            raise SpecError([Problem(file, mark.line + 1, mark.column + 1, "", message)])


_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_TOO_MANY = f"more than {MAX_VALUES:,} values in a spec and its includes, aliases expanded"


def read(file: Path, shown: str, asked: Node | None = None, budget: Budget | None = None) -> Node:
    """The tree of a YAML file; messages call it `shown`, and `asked` is the entry that includes it, if any."""
    budget = budget or Budget()
    try:
        text = _content(file, budget, included=asked is not None).decode("utf-8-sig")
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else _said(error)
    except UnicodeDecodeError:
        reason = "not a text file in UTF-8"
    else:
        return parse(text, shown, file.parent, budget=budget)
    problem = (
        asked.problem(f"cannot read '{clipped(shown, 300)}': {reason}") if asked else Problem(shown, 1, 1, "", reason)
    )
    raise SpecError([problem])


def _said(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{text[0].lower()}{text[1:]}"


def _content(file: Path, budget: Budget, included: bool) -> bytes:
    """A file's bytes, within the budget. A spec may come through a pipe; what it includes must be regular files."""
    budget.files -= 1
    if budget.files < 0:
        raise OSError(0, f"more than {MAX_FILES} files are included")
    with open(file, "rb", opener=_at_once if included else None) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if included and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(0, "not a regular file")
        content = stream.read(budget.bytes + 1)
    budget.bytes -= len(content)
    if budget.bytes < 0:
        raise OSError(0, f"a spec and its includes must not be larger than {MAX_BYTES // 1_000_000} MB")
    return content


def _at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that nobody writes to would make us."""
    return os.open(path, flags | os.O_NONBLOCK)


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

    def __init__(self, file: str, folder: Path, budget: Budget):
        self.file = file
        self.folder = folder
        self.budget = budget
        self.problems: list[Problem] = []
        self.open: set[int] = set()

    def node(self, node: yaml.Node, path: tuple[Step, ...], key: Mark | None = None) -> Node:
        mark = self._mark(node)
        self.budget.values -= 1
        if self.budget.values < 0:
            raise SpecError([self._problem(node, path, _TOO_MANY)])
        if len(path) > MAX_DEPTH:
            raise SpecError([self._problem(node, path[:1], _TOO_DEEP)])
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
        return self._wrong(node, path, f"the tag '{clipped(node.tag)}' is not allowed; a spec is plain data")

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
                self._wrong(key, (*path, key.value), f"duplicate key '{clipped(key.value)}' (first in line {line})")
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
        if "${{" in node.value:
            return self._wrong(node, path, f"'{clipped(node.value)}' is plain text: {_NO_EXPRESSIONS}")
        try:
            return _SCALARS[kind](node.value)
        except (ValueError, KeyError):
            return self._wrong(node, path, f"'{clipped(node.value)}' is not {_MEANT[kind]}")

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1, self.folder)

    def _problem(self, node: yaml.Node, path: tuple[Step, ...], message: str) -> Problem:
        mark = self._mark(node)
        return Problem(mark.file, mark.line, mark.column, dotted(path), message)

    def _wrong(self, node: yaml.Node, path: tuple[Step, ...], message: str) -> None:
        self.problems.append(self._problem(node, path, message))


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    base = 8 if digits.startswith("0o") else 16 if digits.startswith("0x") else 10
    value = int(digits[: MAX_DIGITS + 2], base)
    if len(digits) > MAX_DIGITS + 2 or not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


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


#: what a text that is no value of its tag should have been
_MEANT = {"int": "an integer of 64 bits", "float": "a finite number", "bool": "true or false", "null": "null"}
_NO_EXPRESSIONS = (
    "a spec has no ${{ expressions }}. An axis sets its field by itself: with `matrix: {train.seed: [1, 2]}` each case "
    "has its `train.seed`, and no other line needs to name it"
)


def _broken(error: yaml.MarkedYAMLError, file: str, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reason = error.problem or _one_line(error)
    if mark and text[mark.index : mark.index + 1] == "\t":
        reason = "found a tab; YAML indents with spaces only"
    elif "${{" in "".join(text.split("\n")[line - 1 : line]):
        reason += f"; {_NO_EXPRESSIONS}"
    return Problem(file, line, column, "", f"broken YAML: {reason}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
