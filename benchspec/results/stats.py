"""Percentiles and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

#: blocks of consecutive values whose means give an interval
BLOCKS = 10
#: the quantiles of Student's t at 97.5%, for 1 to 10 degrees of freedom
_T = (12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile of sorted values, interpolated linearly between the two nearest."""
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def mean_interval(values: Sequence[float]) -> list[float] | None:
    """The 95% confidence interval of the mean of consecutive, correlated values; None for fewer than `BLOCKS`.

    By batch means (Law, Simulation Modeling and Analysis, chapter 9): the values are cut into blocks of almost equal
    length, whose means are nearly independent, so that Student's t applies to them. What correlation r is left between
    neighbouring blocks makes the interval wider: to first order, it multiplies the variance of the mean by
    1 + 2 r (1 - 1/BLOCKS). A negative r does not make it narrower.
    """
    from statistics import fmean

    if len(values) < BLOCKS:
        return None
    edges = [len(values) * block // BLOCKS for block in range(BLOCKS + 1)]
    blocks = [values[begin:end] for begin, end in pairwise(edges)]
    mean = fmean(values)
    # Weighted by their lengths, the squares have the right expectation where blocks differ by one value.
    squares = math.fsum(len(block) * (fmean(block) - mean) ** 2 for block in blocks)
    variance = squares / (BLOCKS - 1) / len(values)
    correlation = _neighbours([fmean(block) - mean for block in blocks])
    half = t_quantile(BLOCKS - 1) * math.sqrt(variance * (1 + 2 * max(0.0, correlation) * (1 - 1 / BLOCKS)))
    return [mean - half, mean + half]


def _neighbours(deviations: Sequence[float]) -> float:
    """The correlation of each value with the next; 0 if all are equal."""
    squares = math.fsum(each**2 for each in deviations)
    return math.fsum(one * other for one, other in pairwise(deviations)) / squares if squares else 0.0


def t_quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t, correct to three decimals.

    Beyond the table, an expansion in 1/degrees about the normal quantile: Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.5.
    """
    from statistics import NormalDist

    if degrees <= len(_T):
        return _T[degrees - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / math.pow(degrees, power) for power, term in enumerate(terms))
