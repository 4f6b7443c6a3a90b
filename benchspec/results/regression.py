"""A straight line through points, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from benchspec.results.stats import t_quantile


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
