"""The search for the largest batch that fits: a case for each size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from benchspec.cases.case import Case
from benchspec.cases.matrix import Combination
from benchspec.spec import document
from benchspec.spec.document import Node
from benchspec.terms.errors import SpecError

#: the field that is searched, and so an axis of the cases
SIZE = "train.batch_size"
#: optimizer steps of a trial, unless the spec says `max_steps`
TRIAL_STEPS = 12
#: rows of a step of one process that are cut into sizes
MOST_ROWS = 1_000_000
#: how trials may end
EXPECTED = ("ok", "oom", "host-oom", "skipped")


class Trial(NamedTuple):
    """A case before it has an id; of a search, one for each size."""

    combination: Combination
    fields: Node


def trials(combination: Combination, fields: Node, train: Mapping[str, Any]) -> list[Trial]:
    """The cases that a combination stands for: itself, or where it is searched, one for each size of its batch.

    `train` are the fields of its `train`, with defaults. The sizes are those that divide the rows that a process has in
    an optimizer step, which accumulation keeps as they are.
    """
    measure = fields.get("measure")
    search = measure.get("search") if measure else None
    if search is None or search.value is None:
        return [Trial(combination, fields)]
    if SIZE in combination:
        raise SpecError([combination[SIZE].problem(f"measure.search tries sizes of {SIZE} by itself: remove the axis")])
    rows = train["batch_size"] * train["gradient_accumulation"]
    if rows > MOST_ROWS:
        raise SpecError([search.problem(f"batch_size × gradient_accumulation is {rows:,}; at most {MOST_ROWS:,}")])
    steps = {} if train["max_steps"] else {"max_steps": TRIAL_STEPS}
    return [
        Trial(
            {**combination, SIZE: replace(search, value=size)},
            _assigned(fields, search, {"batch_size": size, "gradient_accumulation": rows // size, **steps}),
        )
        for size in range(1, rows + 1)
        if rows % size == 0
    ]


def _assigned(fields: Node, search: Node, train: Mapping[str, int]) -> Node:
    for name, value in train.items():
        fields = document.assign(fields, ["train", name], replace(search, value=value))
    return fields


def size_of(case: Case) -> int:
    """The size that a trial tries."""
    return int(case.train["batch_size"])


def group(case: Case) -> str:
    """What the trials of a search have in common, and no others."""
    return json.dumps([case.experiment, {path: value for path, value in case.axes.items() if path != SIZE}])
