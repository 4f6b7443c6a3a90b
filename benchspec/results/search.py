"""The search for the largest batch that fits: which size is tried next, and which is the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: the outcomes that tell whether a size fits
TELLING = ("ok", "oom", "host-oom")


def fitting(outcomes: Mapping[int, str]) -> dict[int, bool]:
    """Whether each size fits, of those whose outcome tells that."""
    return {size: outcome == "ok" for size, outcome in outcomes.items() if outcome in TELLING}


def failed(outcomes: Mapping[int, str]) -> dict[int, str]:
    """How sizes ended that were tried and tell nothing about what fits."""
    return {size: outcome for size, outcome in outcomes.items() if outcome not in (*TELLING, "skipped")}


def is_over(outcomes: Mapping[int, str]) -> bool:
    """Whether the largest of these sizes that fits is known, from how each of them ended."""
    return not failed(outcomes) and next_size(sorted(outcomes), fitting(outcomes)) is None


def next_size(sizes: Sequence[int], fits: Mapping[int, bool]) -> int | None:
    """The size to try next, given which of those that were tried fit; None once the largest is known.

    `sizes` ascend, and so does what a batch takes.
    """
    good, bad = largest(fits), smallest_too_large(fits)
    between = [size for size in sizes if size > good and (bad is None or size < bad)]
    if not between:
        return None
    if bad is None:
        return next((size for size in between if size >= 2 * good), between[-1])
    return between[len(between) // 2]


def largest(fits: Mapping[int, bool]) -> int:
    """The largest size that fits; 0 if none does."""
    return max((size for size, does in fits.items() if does), default=0)


def smallest_too_large(fits: Mapping[int, bool]) -> int | None:
    """The smallest size that does not fit; None if all do."""
    return min((size for size, does in fits.items() if not does), default=None)
