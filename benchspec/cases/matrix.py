"""A matrix -> its combinations of values, by the rules of GitHub Actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from benchspec.spec.document import Node
from benchspec.terms.errors import SpecError, suggest
from benchspec.terms.where import agrees

#: dotted path of a case's field -> its value
Combination = dict[str, Node]
#: per matrix; more would take years to run, so they must be a mistake
MAX_CASES = 2000


def combinations(matrix: Node) -> list[Combination]:
    """A matrix's combinations of values, by the rules of GitHub Actions."""
    axes = {path: _values(path, node) for path, node in matrix.value.items() if path not in ("include", "exclude")}
    if (count := math.prod(map(len, axes.values()))) > MAX_CASES:
        raise SpecError([matrix.problem(f"the matrix has {count:,} combinations; at most {MAX_CASES:,} are allowed")])
    originals = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    excluded = matrix.get("exclude")
    for entry in excluded.value if excluded else []:
        _check_exclude(entry, list(axes))
        originals = [original for original in originals if not _matches(original, entry.value)]
    included = matrix.get("include")
    found = _with_included(originals, [entry.value for entry in included.value] if included else [])
    if not found:
        raise SpecError([matrix.problem("the matrix is empty: everything is excluded", at_key=True)])
    return found


def _with_included(originals: list[Combination], entries: list[Combination]) -> list[Combination]:
    """Add each `include` entry to the combinations whose values it does not change, or as a combination of its own."""
    extended = [dict(original) for original in originals]
    alone: list[Combination] = []
    for entry in entries:
        matching = [
            index
            for index, original in enumerate(originals)
            if _matches(original, {path: node for path, node in entry.items() if path in original})
        ]
        for index in matching:
            extended[index] |= entry
        if not matching:
            alone.append(entry)
    return extended + alone


def _matches(combination: Combination, entry: Mapping[str, Node]) -> bool:
    return all(agrees(combination[path].plain(), node.plain()) for path, node in entry.items())


def _check_exclude(entry: Node, axes: list[str]) -> None:
    problems = [
        node.problem(f"'{path}' is not an axis of this matrix ({', '.join(axes)}){suggest(path, axes)}", at_key=True)
        for path, node in entry.value.items()
        if path not in axes
    ]
    if problems:
        raise SpecError(problems)


def _values(path: str, axis: Node) -> list[Node]:
    """An axis's values; each keeps the position of the axis, for messages about the path."""
    return [replace(node, key=axis.key) for node in axis.value]
