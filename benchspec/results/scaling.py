"""Parallel efficiency: what the processes of larger groups still do, compared with those of the smallest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchspec.results.result import Result

#: axes that are the number of processes
_PROCESSES = ("launcher.processes", "launcher.nodes", "launcher.gpus_per_node")


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
    follows = _following(group)
    for result in group:
        processes, rate = result.record.get("processes"), result.numbers.get("rows_per_second")
        if processes and rate:
            alike.setdefault(_else(result.axes, follows), {})[result.case] = _Point(processes, rate)
    found: dict[str, float] = {}
    for cases in alike.values():
        fewest = min(cases.values())
        if len({point.processes for point in cases.values()}) > 1:
            each = fewest.rate / fewest.processes
            found |= {case: point.rate / point.processes / each for case, point in cases.items()}
    return found


def _following(group: Sequence[Result]) -> set[str]:
    """The axes that have one value for each number of processes, as where the rows of a step are kept."""
    found = set(_PROCESSES)
    for path in {path for result in group for path in result.axes if path.startswith("train.")}:
        values: dict[object, set[str]] = {}
        for result in group:
            values.setdefault(result.record.get("processes"), set()).add(json.dumps(result.axes.get(path)))
        if len(values) > 1 and all(len(each) == 1 for each in values.values()):
            found.add(path)
    return found


def _else(axes: Mapping[str, object], follows: set[str]) -> str:
    """The values of the other axes."""
    return json.dumps({path: value for path, value in axes.items() if path not in follows})
