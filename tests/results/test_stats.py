"""Percentiles and confidence intervals."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest

from benchspec.results.stats import mean_interval, percentile


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 2.5), (95, 3.85), (100, 4)])
def test_percentiles_are_interpolated(percent, value):
    assert percentile([1, 2, 3, 4], percent) == pytest.approx(value)


def test_the_only_value_is_every_percentile():
    assert percentile([7.5], 50) == percentile([7.5], 99) == 7.5


def test_an_interval_is_students_where_neighbours_are_not_alike():
    # Five times -1 and 1: the standard deviation is √(10/9), the mean's error a third; t at 9 degrees is 2.26216.
    assert mean_interval([-1, 1] * 5) == pytest.approx([-2.26216 / 3, 2.26216 / 3], abs=1e-5)


def test_what_correlation_is_left_between_blocks_makes_an_interval_wider():
    # The error is a third again; the neighbours' correlation is (4 - 1 + 4) / 10, and √(1 + 2 × 0.7 × 0.9) = 1.50333.
    assert mean_interval([-1] * 5 + [1] * 5) == pytest.approx([-2.26216 / 3 * 1.50333, 2.26216 / 3 * 1.50333], abs=1e-5)


def test_equal_values_have_an_interval_without_width():
    assert mean_interval([2.5] * 25) == [2.5, 2.5]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_fewer_than_ten_values_have_no_interval(count):
    assert mean_interval([1.5] * count) is None


@pytest.mark.parametrize(
    ("correlation", "steps", "low", "high"), [(0, 25, 93, 97), (0.5, 200, 93, 97), (0.8, 200, 91, 97)]
)
def test_an_interval_holds_the_mean_of_correlated_steps(correlation, steps, low, high):
    """A small share of tests/campaigns/intervals.py; an interval for independent steps holds 74 of 100 at 0.5."""
    draw = random.Random(7)
    held = 0
    for _ in range(1000):
        drawn = [draw.gauss(0, (1 - correlation**2) ** -0.5), *(draw.gauss(0, 1) for _ in range(steps - 1))]
        below, above = mean_interval(list(accumulate(drawn, lambda last, fresh: correlation * last + fresh)))
        held += below <= 0 <= above
    assert 10 * low <= held <= 10 * high
