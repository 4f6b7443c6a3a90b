"""Which cases are left to run, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from benchspec.cases.case import Case
from benchspec.results.differences import Difference, Record, by_kind, differences
from benchspec.results.result import Result
from benchspec.terms.errors import NothingSelected


class Changed(NamedTuple):
    """A result that depends on something that is no longer as it was."""

    case: Case
    result: Result
    differences: Sequence[Difference]


def selected(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases that any pattern selects, all without patterns. A pattern is a part of EXPERIMENT/ID or a glob."""
    chosen = [case for case in cases if not patterns or any(_selects(pattern, case) for pattern in patterns)]
    if not chosen:
        names = ", ".join(case.full_name for case in cases)
        raise NothingSelected(f"--only {' --only '.join(patterns)} selects no case ({names})")
    return chosen


def unfinished(cases: Sequence[Case], journal: Iterable[Result]) -> list[Case]:
    """The cases to run: those without a result, or whose latest result is not final.

    Final are `ok`, `oom`, `host-oom` and `skipped`, but for an `oom` while others used the GPUs.
    """
    final = {result.key: result.final for result in journal}
    return [case for case in cases if not final.get(case.key)]


def to_run(cases: Iterable[Case], journal: Iterable[Result], again: Iterable[Changed] = ()) -> list[Case]:
    """The cases that have no final result, and those whose result is among `again`, in their order."""
    cases = list(cases)
    chosen = {case.key for case in (*unfinished(cases, journal), *(each.case for each in again))}
    return [case for case in cases if case.key in chosen]


def changed(cases: Iterable[Case], journal: Iterable[Result], now: Callable[[Case], Record]) -> list[Changed]:
    """The latest results of cases, where they depend on something that is no longer as it was.

    `now` gives the record of a case as of now.
    """
    latest = {result.key: result for result in journal}
    kept = [(case, latest[case.key]) for case in cases if case.key in latest]
    compared = ((case, result, differences(result.record, now(case))) for case, result in kept)
    return [Changed(case, result, found) for case, result, found in compared if found]


def notes(changed: Sequence[Changed], pending: Iterable[Case]) -> list[str]:
    """What a run says of changed results that it keeps: a line for each kind of difference, and what to do."""
    again = {case.key for case in pending}
    kept = [each.differences for each in changed if each.case.key not in again]
    if not kept:
        return []
    return [
        *(f"changed since these results were measured: {text}" for text in by_kind(kept)),
        "they are kept; run with --rerun changed to measure these cases again",
    ]


def _selects(pattern: str, case: Case) -> bool:
    name = case.full_name
    if any(character in pattern for character in "*?["):
        return any(fnmatchcase(text, pattern) for text in (name, case.id, case.experiment))
    return pattern in name
