"""A straight line through points."""

from __future__ import annotations

import pytest

from benchspec.results.regression import fit_line


def test_a_line_through_points_on_it():
    assert fit_line([(0, 1), (1, 3), (2, 5)]) == (2, 1, 1, (2, 2), 3)


def test_least_squares_with_the_interval_of_the_slope():
    # The example of y = 2, 4, 5, 4, 5 over x = 1 to 5, worked by hand: slope 0.6 ± 3.1824 × 0.2828.
    line = fit_line([(1, 2), (2, 4), (3, 5), (4, 4), (5, 5)])
    assert (line.slope, line.intercept, line.r_squared) == pytest.approx((0.6, 2.2, 0.6))
    assert line.interval == pytest.approx((-0.3, 1.5), abs=1e-3)


@pytest.mark.parametrize("points", [[], [(1, 2)], [(1, 2), (1, 3)]])
def test_no_line_through_fewer_than_two_places(points):
    assert fit_line(points) is None


def test_two_points_have_no_interval_and_level_ones_are_explained():
    assert fit_line([(1, 2), (2, 2)]) == (0, 2, 1, None, 2)
