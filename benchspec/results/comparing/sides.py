"""The cases of two runs, paired: the launches of each in base and in head."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchspec.results import resolved
from benchspec.results.result import Result
from benchspec.results.results import Results


class Launched(NamedTuple):
    """A launch of a case."""

    result: Result
    #: its attempt's folder
    folder: Path
    #: what its case.json holds; None if that is gone or cannot be used
    case: Mapping[str, Any] | None


class Side(NamedTuple):
    """The launches of a case in one of two runs."""

    #: what messages call the run: `base` or `head`, or its folder
    name: str
    launches: Sequence[Launched]

    @property
    def results(self) -> list[Result]:
        return [each.result for each in self.launches]

    @property
    def ok(self) -> list[Launched]:
        return [each for each in self.launches if each.result.outcome == "ok"]

    @property
    def failure(self) -> str:
        """How launches failed, in words; empty if all are ok."""
        failed = [each for each in self.results if each.outcome != "ok"]
        if not failed:
            return ""
        of = f"{len(failed)} of {len(self.launches)} launches " if len(self.launches) > 1 else ""
        return f"not ok in {self.name}: {of}{failed[0].ending}"

    def values(self, metric: str) -> list[float]:
        """The metric in each launch that is ok and has it."""
        return [each.numbers[metric] for each in self.results if metric in each.numbers]


class Sides(NamedTuple):
    """A case in two runs; in one of them it may have no launch."""

    experiment: str
    axes: Mapping[str, Any]
    base: Side
    head: Side


def paired(base: Results, head: Results) -> Iterator[Sides]:
    """The cases of both runs and of either, paired by experiment and axes, in the order of base.

    Cases of a script's own run, which has no axes that tell them apart, are paired by their ids.
    """
    ours, theirs = _by_key(base), _by_key(head)
    for each in {**ours, **theirs}:
        alike = ours.get(each, []), theirs.get(each, [])
        for one, other in _matched(*alike):
            shown = one or other
            assert shown is not None
            sides = [
                side(name, results, found.launches if found else ())
                for name, results, found in (("base", base, one), ("head", head, other))
            ]
            # Several with the same axes are told apart by their ids.
            named = {"case": shown.case} if max(map(len, alike)) > 1 else {}
            yield Sides(shown.experiment, {**shown.axes, **named}, *sides)


def _by_key(results: Results) -> dict[tuple[str, str], list[Result]]:
    found: dict[tuple[str, str], list[Result]] = {}
    for each in results.by_case():
        found.setdefault(key(each), []).append(each)
    return found


def _matched(ours: Sequence[Result], theirs: Sequence[Result]) -> Iterator[tuple[Result | None, Result | None]]:
    """Pairs of cases with the same experiment and axes: the only ones there are, else those with the same id."""
    if len(ours) <= 1 and len(theirs) <= 1:
        yield next(iter(ours), None), next(iter(theirs), None)
        return
    others = {each.case: each for each in theirs}
    for each in ours:
        yield each, others.pop(each.case, None)
    for each in others.values():
        yield None, each


def key(result: Result) -> tuple[str, str]:
    """By which a case is found in another run: its experiment and axes, since its id changes with the spec."""
    return result.experiment, json.dumps(result.axes, sort_keys=True)


def side(name: str, results: Results, launches: Sequence[Result]) -> Side:
    """Launches of a case in one run, with their case.json; those that ran out of memory beside others say nothing."""
    launches = [each for each in launches if not each.beside_others]
    folders = [(each, results.folder_of(each)) for each in launches]
    return Side(name, [Launched(each, folder, resolved.read(folder)) for each, folder in folders])
