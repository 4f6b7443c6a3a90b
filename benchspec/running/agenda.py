"""Which launches of which cases are left to run, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from benchspec.cases.case import Case, Launch, launches
from benchspec.cases.trials import group, size_of
from benchspec.results.differences import Difference, Record, by_kind, differences
from benchspec.results.result import Result
from benchspec.results.search import is_over
from benchspec.terms.errors import NothingSelected


class Changed(NamedTuple):
    """A result that depends on something that is no longer as it was."""

    launch: Launch
    result: Result
    differences: Sequence[Difference]


def selected(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases that any pattern selects, all without patterns. A pattern is a part of EXPERIMENT/ID or a glob."""
    if "" in patterns:
        raise NothingSelected("--only '' selects no case: a pattern is a part of EXPERIMENT/ID, or a glob")
    chosen = [case for case in cases if not patterns or any(_selects(pattern, case) for pattern in patterns)]
    if not chosen:
        names = ", ".join(case.full_name for case in cases)
        raise NothingSelected(f"--only {' --only '.join(patterns)} selects no case ({names})")
    return chosen


def unfinished(cases: Sequence[Case], journal: Iterable[Result]) -> list[Launch]:
    """The launches to run: those without a result, or whose latest result is not final.

    Final are `ok`, `oom`, `host-oom` and `skipped`, but for an `oom` while others used the GPUs, and for what a search
    has skipped that is not over.
    """
    known, every = latest(journal), launches(cases)
    left = {launch.key for launch in every if launch.key not in known or not known[launch.key].final}
    searches = {group(launch.case) for launch in every if launch.key in left and launch.case.searched}
    searches |= {mine for mine, outcomes in _searched(every, known).items() if not is_over(outcomes)}
    left |= {
        launch.key
        for launch in every
        if launch.case.searched
        and launch.key not in left
        and known[launch.key].outcome == "skipped"
        and group(launch.case) in searches
    }
    return [launch for launch in every if launch.key in left]


def _searched(every: Iterable[Launch], known: Mapping[tuple[str, str, int], Result]) -> dict[Any, dict[int, str]]:
    """Of each search, how the first launches of these cases ended, by size."""
    found: dict[Any, dict[int, str]] = {}
    for launch in every:
        if launch.case.searched and launch.number == 1 and launch.key in known:
            found.setdefault(group(launch.case), {})[size_of(launch.case)] = known[launch.key].outcome
    return found


def to_run(cases: Sequence[Case], journal: Sequence[Result], again: Iterable[Changed] = ()) -> list[Launch]:
    """The launches that have no final result, and those whose result is among `again`, in their order."""
    chosen = {launch.key for launch in (*unfinished(cases, journal), *(each.launch for each in again))}
    return [launch for launch in launches(cases) if launch.key in chosen]


def changed(cases: Sequence[Case], journal: Iterable[Result], now: Callable[[Case], Record]) -> list[Changed]:
    """The latest results of launches, where they depend on something that is no longer as it was.

    `now` gives the record of a case as of now.
    """
    known, records = latest(journal), {case.key: now(case) for case in cases}
    kept = [(launch, known[launch.key]) for launch in launches(cases) if launch.key in known]
    compared = ((launch, result, differences(result.record, records[launch.case.key])) for launch, result in kept)
    return [Changed(launch, result, found) for launch, result, found in compared if found]


def notes(changed: Sequence[Changed], pending: Iterable[Launch]) -> list[str]:
    """What a run says of changed results that it keeps: a line for each kind of difference, and what to do."""
    again = {launch.key for launch in pending}
    kept = [each.differences for each in changed if each.launch.key not in again]
    if not kept:
        return []
    return [
        *(f"changed since these results were measured: {text}" for text in by_kind(kept)),
        "they are kept; run with --rerun changed to measure these cases again",
    ]


def latest(journal: Iterable[Result]) -> dict[tuple[str, str, int], Result]:
    """The last result of each launch, by experiment, case and number."""
    return {(*result.key, result.launch): result for result in journal}


def _selects(pattern: str, case: Case) -> bool:
    name = case.full_name
    if any(character in pattern for character in "*?["):
        return any(fnmatchcase(text, pattern) for text in (name, case.id, case.experiment))
    return pattern in name
