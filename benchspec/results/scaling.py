"""Parallel efficiency: what the processes of larger groups still do, compared with those of the smallest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchspec.results.result import Result

#: the first parts of axes that change with the number of processes, where the work of a step is kept (strong scaling)
_WITH_PROCESSES = ("launcher", "train.gradient_accumulation", "train.batch_size")


class _Point(NamedTuple):
    processes: int
    rate: float


def efficiencies(group: Sequence[Result]) -> dict[str, float]:
    """The parallel efficiency of each case of an experiment, by its id; empty unless numbers of processes vary.

    It is the rows a second and process, divided by those of the case with the fewest processes that differs in nothing
    else: 1 if twice the processes train twice the rows a second. That is weak scaling where each process keeps its
    micro-batches and accumulation, and strong scaling where the rows of a step are kept.
    """
    alike: dict[str, dict[str, _Point]] = {}
    for result in group:
        processes, rate = result.record.get("processes"), result.numbers.get("rows_per_second")
        if processes and rate:
            alike.setdefault(_else(result.axes), {})[result.case] = _Point(processes, rate)
    found: dict[str, float] = {}
    for cases in alike.values():
        fewest = min(cases.values())
        if len({point.processes for point in cases.values()}) > 1:
            each = fewest.rate / fewest.processes
            found |= {case: point.rate / point.processes / each for case, point in cases.items()}
    return found


def _else(axes: Mapping[str, object]) -> str:
    """The values of the other axes."""
    return json.dumps({path: value for path, value in axes.items() if not path.startswith(_WITH_PROCESSES)})
