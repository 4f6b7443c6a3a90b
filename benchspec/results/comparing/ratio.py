"""The ratio of two runs' launches, how certain it is, and what it means."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from statistics import fmean, variance
from typing import Literal, NamedTuple

#: how certain all intervals of a comparison are together: with 95%, the noise of a shared machine alone was called a
#: change in 10 of 300 comparisons of real launches, with this in 1 to 3; docs/log.md has the figures
CONFIDENCE = 0.995
#: more launches than this are not advised
MOST_LAUNCHES = 1000


class Ratio(NamedTuple):
    """How a metric's launches in one run compare with those in another."""

    #: head over base, of geometric means
    value: float
    #: None with fewer than two launches in either run
    interval: tuple[float, float] | None


def ratio(base: Sequence[float], head: Sequence[float], tests: int) -> Ratio:
    """The ratio of launches, all positive numbers; its interval is as wide as `tests` such intervals together need.

    Welch's interval for the difference of the means of logarithms, with Bonferroni's correction: each of `tests`
    intervals has the confidence 1 - 0.005 / tests.
    """
    from scipy.stats import ttest_ind

    ours, theirs = [math.log(value) for value in base], [math.log(value) for value in head]
    middle = fmean(theirs) - fmean(ours)
    if min(len(ours), len(theirs)) < 2:
        return Ratio(_exp(middle), None)
    if len(set(ours)) == len(set(theirs)) == 1:
        # Launches that never vary, such as a peak of memory.
        return Ratio(_exp(middle), (_exp(middle), _exp(middle)))
    with warnings.catch_warnings():
        # scipy warns where the launches of one run are all alike; the interval is then right too.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = ttest_ind(theirs, ours, equal_var=False).confidence_interval(1 - (1 - CONFIDENCE) / tests)
    return Ratio(_exp(middle), (_exp(found.low), _exp(found.high)))


def _exp(value: float) -> float:
    """e to a power; infinite where that is too large for a number, as an end of a very wide interval may be."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def verdict(interval: tuple[float, float], threshold: float, direction: Literal["lower", "higher"] | None) -> str:
    """What an interval of head / base says, for a metric of which `lower` or `higher` is better.

    `same` lies within 1 / (1 + threshold) to 1 + threshold, `better` and `worse` wholly beyond one of these.
    """
    low, high = interval
    least, most = 1 / (1 + threshold), 1 + threshold
    if least <= low and high <= most:
        return "same"
    if high < least:
        return "better" if direction == "lower" else "worse"
    if low > most:
        return "worse" if direction == "lower" else "better"
    return "undecided"


def spread(base: Sequence[float], head: Sequence[float]) -> float:
    """The standard deviation of launches around the mean of their run, as a share; both runs have at least two."""
    ours, theirs = ([math.log(value) for value in values] for values in (base, head))
    return math.sqrt((variance(ours) + variance(theirs)) / 2)


def launches_needed(base: Sequence[float], head: Sequence[float], threshold: float, tests: int) -> int | None:
    """How many launches of each run it takes at least, if they vary as these do; None if more than a thousand.

    So many that the interval around the same ratio no longer reaches the nearer end of what counts as the same.
    """
    from scipy.stats import t

    middles = [fmean(math.log(value) for value in values) for values in (base, head)]
    margin = abs(abs(middles[1] - middles[0]) - math.log1p(threshold))
    share = spread(base, head)
    quantile = 1 - (1 - CONFIDENCE) / tests / 2

    def decides(count: int) -> bool:
        return bool(t.ppf(quantile, 2 * count - 2) * share * math.sqrt(2 / count) <= margin)

    counts = range(max(min(len(base), len(head)) + 1, 3), MOST_LAUNCHES + 1)
    # More launches make the interval narrower, so a search by halves finds the first, also quickly for many cases.
    found = bisect_left(counts, True, key=decides)
    return counts[found] if found < len(counts) else None
