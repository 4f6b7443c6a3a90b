"""Which cases are left to run, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from benchspec.cases.case import Case
from benchspec.results.result import Result
from benchspec.terms.errors import NothingSelected


def selected(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases that any pattern selects, all without patterns. A pattern is a part of EXPERIMENT/ID or a glob."""
    chosen = [case for case in cases if not patterns or any(_selects(pattern, case) for pattern in patterns)]
    if not chosen:
        names = ", ".join(f"{case.experiment}/{case.id}" for case in cases)
        raise NothingSelected(f"--only {' --only '.join(patterns)} selects no case ({names})")
    return chosen


def unfinished(cases: Sequence[Case], journal: Iterable[Result]) -> list[Case]:
    """The cases to run: those without a result, or whose latest result is not final.

    Final are `ok`, `oom`, `host-oom` and `skipped`, but for an `oom` while others used the GPUs.
    """
    final = {(result.experiment, result.case): result.final for result in journal}
    return [case for case in cases if not final.get((case.experiment, case.id))]


def _selects(pattern: str, case: Case) -> bool:
    name = f"{case.experiment}/{case.id}"
    if any(character in pattern for character in "*?["):
        return any(fnmatchcase(text, pattern) for text in (name, case.id, case.experiment))
    return pattern in name
