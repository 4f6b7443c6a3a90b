"""A straight line through points, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import NamedTuple

#: the quantiles of Student's t at 97.5%, for 1 to 10 degrees of freedom
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


class Line(NamedTuple):
    """A fitted line."""

    slope: float
    intercept: float
    #: the share of the variance that the line explains; 1 for points that do not vary
    r_squared: float
    #: the 95% interval of the slope by Student's t; None for fewer than three points
    interval: tuple[float, float] | None
    points: int


def fit_line(points: Sequence[tuple[float, float]]) -> Line | None:
    """The line through (x, y) points by least squares; None unless two of them differ in x."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if len(set(xs)) < 2:
        return None
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = math.fsum((x - mean_x) ** 2 for x in xs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    intercept = mean_y - slope * mean_x
    residual = math.fsum((y - intercept - slope * x) ** 2 for x, y in points)
    total = math.fsum((y - mean_y) ** 2 for y in ys)
    r_squared = 1 - residual / total if total else 1.0
    return Line(slope, intercept, r_squared, _interval(slope, residual, spread, len(points)), len(points))


def _interval(slope: float, residual: float, spread: float, points: int) -> tuple[float, float] | None:
    if points < 3:
        return None
    half = t_quantile(points - 2) * math.sqrt(residual / (points - 2) / spread)
    return slope - half, slope + half


def t_quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t, correct to three decimals.

    Beyond the table, an expansion in 1/degrees about the normal quantile: Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.5.
    """
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
