"""Percentiles and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: the quantiles of Student's t at 97.5%, for 1 to 10 degrees of freedom
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile of sorted values, interpolated linearly between the two nearest."""
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def mean_interval(values: Sequence[float]) -> list[float] | None:
    """The 95% confidence interval of a mean by Student's t; None for fewer than two values."""
    from statistics import fmean, stdev

    if len(values) < 2:
        return None
    mean, half = fmean(values), t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return [mean - half, mean + half]


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
