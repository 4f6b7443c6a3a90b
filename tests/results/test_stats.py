"""Percentiles and confidence intervals."""

from __future__ import annotations

import math

import pytest

from benchspec.results.stats import mean_interval, percentile, t_quantile


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 2.5), (95, 3.85), (100, 4)])
def test_percentiles_are_interpolated(percent, value):
    assert percentile([1, 2, 3, 4], percent) == pytest.approx(value)


def test_the_only_value_is_every_percentile():
    assert percentile([7.5], 50) == percentile([7.5], 99) == 7.5


def test_the_interval_of_a_mean():
    # The standard deviation is √(5/3), so the mean's error is 0.6455; times Student's t at 3 degrees, 3.1824.
    assert mean_interval([1, 2, 3, 4]) == pytest.approx([2.5 - 2.0543, 2.5 + 2.0543], abs=1e-4)


@pytest.mark.parametrize("values", [[], [1.5]])
def test_fewer_than_two_values_have_no_interval(values):
    assert mean_interval(values) is None


@pytest.mark.parametrize("degrees", [1, 2, 3, 5, 10, 11, 30, 200])
def test_t_quantiles_leave_a_fortieth_above(degrees):
    assert student_t(t_quantile(degrees), degrees) == pytest.approx(0.975, abs=2e-5)


def student_t(limit, degrees, pieces=2000):
    """Student's distribution function, its density integrated by Simpson's rule."""
    log = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    width = limit / pieces
    density = [math.exp(log - (degrees + 1) / 2 * math.log1p((i * width) ** 2 / degrees)) for i in range(pieces + 1)]
    return 0.5 + width / 3 * (density[0] + density[-1] + 4 * sum(density[1:-1:2]) + 2 * sum(density[2:-1:2]))
