"""The axes of a matrix: whether their paths lead to fields of a case."""

from __future__ import annotations

from dataclasses import replace

from benchspec.cases.matrix import axes_of, entries
from benchspec.kinds.bases import CASE_KINDS, FIELDS
from benchspec.spec.document import Node
from benchspec.spec.yaml12 import MAX_DEPTH
from benchspec.terms.errors import Problem, suggest
from benchspec.terms.harmless import clipped

#: what a path starts with; how often a case is launched makes no other case
_FIELDS = [name for name in FIELDS if name != "repeats"]


def problems(matrix: Node) -> list[Problem]:
    """Problems of paths in a matrix that lead to no field of a case, or in its `exclude` to none of its axes."""
    return [*_unknown(matrix), *_unknown_excludes(matrix)]


def usable(matrix: Node) -> Node | None:
    """A matrix of the axes alone that lead to fields, whose values can still be checked; None if there are none."""
    axes = {path: node for path, node in axes_of(matrix).items() if _is_axis(path)}
    return replace(matrix, value=axes) if axes else None


def _unknown(matrix: Node) -> list[Problem]:
    return [
        node.problem(_message(path), at_key=True)
        for found in [axes_of(matrix), *(entry.value for entry in entries(matrix, "include"))]
        for path, node in found.items()
        if not _is_axis(path)
    ]


def _is_axis(path: str) -> bool:
    return path.split(".")[0] in _FIELDS and path.count(".") < MAX_DEPTH and not _is_below_name(path)


def _is_below_name(path: str) -> bool:
    """Whether a path goes on after the name of a plugin, which is a text."""
    kind, *rest = path.split(".")
    return kind in CASE_KINDS and "name" in rest[:-1]


def _message(path: str) -> str:
    shown = clipped(path)
    if _is_below_name(path):
        return f"unknown axis path '{shown}': a name has no fields of its own; an option's path is KIND.OPTION"
    if path == "repeats":
        return "'repeats' makes no other case: write it beside 'matrix', or under defaults"
    return f"unknown axis path '{shown}' (a path starts with one of {', '.join(_FIELDS)}){suggest(path, _FIELDS)}"


def _unknown_excludes(matrix: Node) -> list[Problem]:
    """Each path once."""
    axes = list(axes_of(matrix))
    unknown: dict[str, Node] = {}
    for entry in entries(matrix, "exclude"):
        for path, node in entry.value.items():
            if path not in axes:
                unknown.setdefault(path, node)
    known = clipped(", ".join(axes), 500)
    return [
        node.problem(f"'{clipped(path)}' is not an axis of this matrix ({known}){suggest(path, axes)}", at_key=True)
        for path, node in unknown.items()
    ]
