"""A matrix -> its combinations of values, by the rules of GitHub Actions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import and_, or_
from typing import Any

from benchspec.spec.document import Node
from benchspec.terms.errors import SpecError
from benchspec.terms.units import plain
from benchspec.terms.where import OWN, agrees

#: dotted path of a case's field -> its value
Combination = dict[str, Node]
#: per matrix; more would take weeks to run, so they must be a mistake
MAX_PER_MATRIX = 2000
#: per matrix, before its `exclude`: each of these is looked at
MAX_COMBINATIONS = 10 * MAX_PER_MATRIX


def combinations(matrix: Node) -> list[Combination]:
    """A matrix's combinations of values, by the rules of GitHub Actions."""
    axes = {path: _values(node) for path, node in axes_of(matrix).items()}
    count = math.prod(map(len, axes.values())) if axes else 0
    excluded, included = (entries(matrix, key) for key in ("exclude", "include"))
    if count > (MAX_COMBINATIONS if excluded else MAX_PER_MATRIX):
        raise SpecError([matrix.problem(_too_many(count, before_exclude=bool(excluded)))])
    grid = _Grid(axes)
    left = grid.all & ~reduce(or_, (grid.matching(entry.value) for entry in excluded), 0)
    if (kept := left.bit_count()) > MAX_PER_MATRIX:
        raise SpecError([matrix.problem(_too_many(kept))])
    found = _with_included(grid, left, [_by_axes(axes, entry.value) for entry in included])
    if not found:
        raise SpecError([matrix.problem("the matrix is empty: everything is excluded", at_key=True)])
    if len(found) > MAX_PER_MATRIX:
        raise SpecError([matrix.problem(_too_many(len(found)))])
    return found


def idle_excludes(matrix: Node) -> list[Node]:
    """The entries of a valid matrix's `exclude` that no combination agrees with."""
    grid = _Grid({path: _values(node) for path, node in axes_of(matrix).items()})
    return [entry for entry in entries(matrix, "exclude") if not grid.matching(entry.value)]


def axes_of(matrix: Node) -> dict[str, Node]:
    """A matrix's axes: dotted path -> values."""
    return {path: node for path, node in matrix.value.items() if path not in ("include", "exclude")}


def _too_many(count: int, before_exclude: bool = False) -> str:
    allowed = f"{MAX_PER_MATRIX:,} are allowed"
    if before_exclude:
        allowed = f"{MAX_COMBINATIONS:,} are allowed before exclude, and {MAX_PER_MATRIX:,} after it"
    return f"the matrix has {count:,} combinations; at most {allowed}: split the experiment into several"


class _Grid:
    """All combinations of the axes, in order; a set of them is an integer with a bit for each."""

    def __init__(self, axes: Mapping[str, list[Node]]):
        self.axes = axes
        self.size = math.prod(map(len, axes.values())) if axes else 0
        self.all = (1 << self.size) - 1
        #: path -> how many combinations share a value in a row, before the axis's next value comes
        self._runs: dict[str, int] = {}
        run = self.size
        for path, values in axes.items():
            run //= len(values)
            self._runs[path] = run
        #: path -> a plain value, or the name of a plugin -> the combinations that have it
        self._known: dict[str, dict[Any, int]] = {}

    def matching(self, entry: Mapping[str, Node]) -> int:
        """The combinations that have every value of an entry of `include` or `exclude`."""
        return reduce(and_, (self._having(path, node.plain()) for path, node in entry.items()), self.all)

    def combination(self, index: int) -> Combination:
        return {path: values[index // self._runs[path] % len(values)] for path, values in self.axes.items()}

    def _having(self, path: str, wanted: Any) -> int:
        """The combinations whose value on an axis agrees with `wanted`."""
        if path not in self._known:
            self._known[path] = self._by_value(path)
        known, key = self._known[path], _key(wanted)
        if isinstance(wanted, dict | list) and key not in known:
            # Only these are compared with each value, and only once.
            values = enumerate(self.axes[path])
            known[key] = reduce(
                or_, (self._at(path, place) for place, node in values if agrees(node.plain(), wanted)), 0
            )
        number = plain(wanted)
        # A number is also what a text with a unit says, and such a text is also a number.
        other = known.get(number if isinstance(wanted, str) else (number, "as text"), 0) if _is_number(number) else 0
        return known.get(key, 0) | other

    def _by_value(self, path: str) -> dict[Any, int]:
        known: dict[Any, int] = {}
        for place, node in enumerate(self.axes[path]):
            value = name.value if (name := node.get("name")) else node.value
            if isinstance(value, str) or not isinstance(node.value, dict | list):
                keys = [_key(value)]
                if isinstance(value, str) and _is_number(number := plain(value)):
                    keys.append((number, "as text"))
                for key in keys:
                    known[key] = known.get(key, 0) | self._at(path, place)
        return known

    def _at(self, path: str, place: int) -> int:
        """The combinations that have the value at a place of an axis: runs of bits at equal distances."""
        run = self._runs[path]
        period = run * len(self.axes[path])
        return (((1 << run) - 1) << (run * place)) * (self.all // ((1 << period) - 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(value: Any) -> Any:
    """Equal for values that agree, as far as they are no mappings or lists."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True), type(value)
    if isinstance(value, bool):
        return value, bool
    return value.removeprefix(OWN) if isinstance(value, str) else value


def _with_included(grid: _Grid, left: int, entries: list[Combination]) -> list[Combination]:
    """Add each `include` entry to the combinations whose values it does not change, or as a combination of its own."""
    extended = {index: grid.combination(index) for index in _bits(left)}
    alone: list[Combination] = []
    for entry in entries:
        on_axes = {path: node for path, node in entry.items() if path in grid.axes}
        matching = left & grid.matching(on_axes)
        for index in _bits(matching):
            extended[index] |= entry
        if not matching:
            alone.append(entry)
    return [*extended.values(), *alone]


def _by_axes(axes: Mapping[str, list[Node]], entry: Mapping[str, Node]) -> Combination:
    """An entry of `include` with a field within which there are axes by its parts, as they are: `train.seed`."""
    found: Combination = {}
    for path, node in entry.items():
        within = path not in axes and any(axis.startswith(f"{path}.") for axis in axes)
        if within and isinstance(node.value, dict):
            found |= _by_axes(axes, {f"{path}.{key}": part for key, part in node.value.items()})
        else:
            found[path] = node
    return found


def _bits(number: int) -> list[int]:
    return [index for index, bit in enumerate(bin(number)[:1:-1]) if bit == "1"]


def entries(matrix: Node, key: str) -> list[Node]:
    """The entries of a matrix's `include` or `exclude`."""
    node = matrix.get(key)
    return list(node.value) if node else []


def _values(axis: Node) -> list[Node]:
    """An axis's values; each keeps the position of the axis, for messages about the path."""
    return [replace(node, key=axis.key) for node in axis.value]
