"""`Node`, a value with its position in a file, and the merging of trees of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchspec.terms.errors import Problem
from benchspec.terms.harmless import clipped

Step = str | int


class Mark(NamedTuple):
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    #: the folder that a relative path here starts from; None for a plugin's own defaults
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its position in a file."""

    value: Any
    mark: Mark
    #: the position of the value's key; in a list, which has no keys, of the value itself
    key: Mark
    #: the value's path in its file
    path: tuple[Step, ...]

    def plain(self) -> Any:
        """The value without positions: mappings, lists and scalars."""
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
    return "".join(f"[{step}]" if isinstance(step, int) else f".{clipped(step)}" for step in path).lstrip(".")


def bare(value: Any) -> Node:
    """A tree for a value that comes from no file: a plugin's default, or a preset's option."""
    nowhere = Mark("", 1, 1, None)
    if isinstance(value, Mapping):
        value = {key: bare(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        value = [bare(item) for item in value]
    return Node(value, nowhere, nowhere, ())


def merge(base: Node | None, over: Node) -> Node:
    """`over` wins; mappings merge deeply, unless they name different plugins."""
    if base is None or not isinstance(base.value, dict) or not isinstance(over.value, dict) or _renames(base, over):
        return over
    return replace(over, value=base.value | {key: merge(base.get(key), node) for key, node in over.value.items()})


def merge_roots(base: Node, over: Node) -> Node:
    """Like `merge`, for whole files, whose `name` is the benchmark's and not a plugin's."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    return replace(over, value=base.value | {key: merge(base.get(key), node) for key, node in over.value.items()})


def assign(root: Node, path: Sequence[str], value: Node) -> Node:
    """`root` with `value` set at a path; a plugin given as a string on that path becomes a mapping."""
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
