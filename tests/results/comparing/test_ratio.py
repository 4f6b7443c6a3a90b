"""How certain the ratio of launches is, and what that means."""

from __future__ import annotations

import math
import random
from math import exp

import pytest

pytest.importorskip("scipy")

from scipy import stats

from benchspec.results.comparing.ratio import launches_needed, ratio, spread, verdict


def test_a_ratio_is_of_geometric_means():
    assert ratio([10.0, 40.0], [20.0, 80.0], 1).value == pytest.approx(2.0)


def test_the_interval_is_welchs():
    # Welch's t with 5.7 degrees of freedom.
    base, head = [exp(v) for v in (0.00, 0.01, -0.01, 0.02, -0.02)], [exp(v) for v in (0.05, 0.06, 0.04, 0.05, 0.044)]
    low, high = ratio(base, head, 1).interval
    mean, error = 0.0488, ((0.00025 + 0.000056) / 5) ** 0.5
    assert ratio(base, head, 1).value == pytest.approx(exp(mean), abs=1e-4)
    assert low == pytest.approx(exp(mean - 4.5 * error), abs=2e-3)
    assert high == pytest.approx(exp(mean + 4.5 * error), abs=2e-3)


def test_of_more_cases_each_interval_is_wider():
    base, head = [1.0, 1.01, 0.99], [1.05, 1.04, 1.06]
    (low, high), (lower, higher) = (ratio(base, head, tests).interval for tests in (1, 10))
    assert lower < low < high < higher


def test_a_single_launch_has_no_interval():
    assert ratio([1.0], [2.0, 2.1], 1).interval is None


def test_launches_that_never_vary_are_certain():
    assert ratio([4e9, 4e9], [5e9, 5e9], 3) == (pytest.approx(1.25), (pytest.approx(1.25), pytest.approx(1.25)))
    low, high = ratio([4e9, 4e9], [5e9, 5.1e9], 1).interval
    assert low < 1.26 < high


@pytest.mark.parametrize(
    ("interval", "lower_is_better", "higher_is_better"),
    [
        ((0.99, 1.01), "same", "same"),
        ((1 / 1.02, 1.02), "same", "same"),
        ((1.021, 1.1), "worse", "better"),
        ((0.90, 0.98), "better", "worse"),
        ((1.01, 1.1), "undecided", "undecided"),
        ((0.9, 1.1), "undecided", "undecided"),
    ],
)
def test_what_an_interval_says(interval, lower_is_better, higher_is_better):
    assert verdict(interval, 0.02, "lower") == lower_is_better
    assert verdict(interval, 0.02, "higher") == higher_is_better


def test_as_many_launches_as_are_advised_decide():
    drawn = random.Random(1)

    def launches(mean, count):
        return [drawn.gauss(mean, 0.02) for _ in range(count)]

    base, head = launches(1.0, 5), launches(1.0, 5)
    needed = launches_needed(base, head, 0.02, 1)
    assert 5 < needed < 200
    decided = [verdict(ratio(launches(1.0, 3 * needed), launches(1.0, 3 * needed), 1).interval, 0.02, "lower")]
    assert decided == ["same"]


def test_no_number_of_launches_decides_what_lies_on_the_threshold():
    assert launches_needed([1.0, 1.1], [1.0 * 1.02, 1.1 * 1.02], 0.02, 1) is None


def test_the_spread_is_a_share():
    assert spread([100.0, 102.0], [200.0, 204.0]) == pytest.approx(0.014, abs=1e-3)


@pytest.mark.parametrize("launches", [1, 2])
def test_a_ratio_that_is_too_large_for_a_number_is_infinite(launches):
    assert ratio([1e-300] * launches, [1e300] * launches, 1).value == math.inf
    assert ratio([1.0, 1.0, 1.0], [1e300, 1e-300, 1.0], 1).interval == (0.0, math.inf)


def test_the_number_of_launches_is_the_first_that_decides_and_takes_no_long_search(monkeypatch):
    tried, ppf = [], stats.t.ppf
    monkeypatch.setattr(stats.t, "ppf", lambda *given: tried.append(given) or ppf(*given))
    base, head = [1.0, 1.1, 0.9], [1.0, 1.1, 0.9]
    needed = launches_needed(base, head, 0.02, 1)
    half = [ppf(1 - 0.005 / 2, 2 * n - 2) * spread(base, head) * math.sqrt(2 / n) for n in (needed - 1, needed)]
    assert half[1] <= math.log1p(0.02) < half[0]
    assert len(tried) < 15
