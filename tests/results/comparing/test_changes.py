"""Where a series changes its level."""

from __future__ import annotations

import pytest

pytest.importorskip("ruptures")

import numpy as np

from benchspec.results.comparing.changes import changes_at


def noisy(drawn, length, noise=0.01):
    """Numbers around 100 that vary by a share."""
    return 100 * np.exp(drawn.normal(0, noise, length))


@pytest.mark.parametrize("noise", [0.005, 0.05])
@pytest.mark.parametrize("length", [8, 30, 200])
def test_noise_alone_is_seldom_a_change(length, noise):
    drawn = np.random.default_rng(0)
    marked = [bool(changes_at(noisy(drawn, length, noise))) for _ in range(200)]
    assert sum(marked) <= 10


@pytest.mark.parametrize("length", [30, 200])
def test_noise_with_odd_runs_is_seldom_a_change(length):
    drawn = np.random.default_rng(0)
    marked = 0
    for _ in range(200):
        values = noisy(drawn, length)
        values[drawn.random(length) < 0.02] *= 0.8
        marked += bool(changes_at(values))
    assert marked <= 10


@pytest.mark.parametrize(("length", "place"), [(30, 15), (30, 28), (12, 6), (200, 100)])
def test_a_step_of_five_percent_is_found_within_one_run(length, place):
    drawn = np.random.default_rng(1)
    found = 0
    for _ in range(100):
        values = noisy(drawn, length)
        values[place:] *= 0.95
        found += any(abs(each - place) <= 1 for each in changes_at(values))
    assert found >= 95


@pytest.mark.parametrize("place", [0, 4, 5, 9])
def test_one_odd_run_is_no_change(place):
    values = [100.0, 100.4, 99.7, 100.1, 100.2, 99.9, 100.2, 99.8, 100.3, 99.6]
    values[place] = 130.0
    assert changes_at(values) == []


def test_numbers_that_repeat_exactly_change_by_more_than_a_trifle():
    assert changes_at([4096.0] * 6 + [4097.0] * 6) == []
    assert changes_at([4096.0] * 6 + [4200.0] * 6) == [6]


def test_too_few_runs_say_nothing():
    assert changes_at([100.0, 100.1, 50.0, 50.1]) == []
