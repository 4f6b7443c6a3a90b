"""Whose turn it is: which launch starts next, and which trials of a search need not run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from benchspec.cases.case import Case, Launch
from benchspec.cases.trials import group, size_of
from benchspec.results import search
from benchspec.results.result import Result
from benchspec.running.agenda import latest


class Turn(NamedTuple):
    """A launch whose turn it is."""

    launch: Launch
    #: why it need not run; None if it has to
    skipped: str | None = None


def turn(
    waiting: Sequence[Launch], running: Sequence[Launch], cases: Sequence[Case], ended: Callable[[], Iterable[Result]]
) -> Turn | None:
    """The first launch that can start, or be skipped; None if each that waits depends on one that runs.

    `cases` are all that the run may have trials of, and `ended` gives the results so far, if they are needed.
    """
    for launch in waiting:
        if not launch.case.searched:
            return Turn(launch)
    for launch in waiting:
        if found := _of_search(launch, waiting, running, cases, ended):
            return found
    return None


def _of_search(
    launch: Launch,
    waiting: Sequence[Launch],
    running: Sequence[Launch],
    cases: Sequence[Case],
    ended: Callable[[], Iterable[Result]],
) -> Turn | None:
    mine = group(launch.case)
    if any(other.case.searched and group(other.case) == mine for other in running):
        return None
    trials = {size_of(case): case for case in cases if case.searched and group(case) == mine}
    first = {other.case.key for other in waiting if other.number == 1}
    known = latest(ended())
    # A first launch that waits has no result, or one that no longer counts.
    outcomes = {
        size: known[*case.key, 1].outcome
        for size, case in trials.items()
        if case.key not in first and (*case.key, 1) in known
    }
    fits = search.fitting(outcomes)
    size = size_of(launch.case)
    if launch.number > 1:
        if launch.case.key in first:
            return None
        return Turn(launch, None if fits.get(size) else f"its first launch was {outcomes.get(size, 'skipped')}")
    if failed := search.failed(outcomes):
        other, outcome = next(iter(failed.items()))
        return Turn(launch, f"not tried: the trial of {_rows(other)} ended as {outcome}")
    wanted = search.next_size([each for each in sorted(trials) if outcomes.get(each) != "skipped"], fits)
    if wanted is None:
        return Turn(launch, _not_needed(size, fits))
    return Turn(launch) if wanted == size else None


def _not_needed(size: int, fits: Mapping[int, bool]) -> str:
    limit = search.smallest_too_large(fits)
    if limit is None or size < limit:
        most = search.largest(fits)
        return f"not tried: {_rows(most)} fit{'s' if most == 1 else ''}"
    return f"not tried: {_rows(limit)} do{'es' if limit == 1 else ''} not fit"


def _rows(size: int) -> str:
    return f"{size} row{'' if size == 1 else 's'}"
