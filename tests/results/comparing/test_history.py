"""A metric over many runs."""

from __future__ import annotations

import pytest
from compared_runs import RECORD, run_dir

pytest.importorskip("numpy")
pytest.importorskip("ruptures")

from benchspec.results.comparing.history import changes_at, history


def runs(tmp_path, rates, first=1, **fields):
    """Runs of one launch each, a day apart."""
    return [
        run_dir(tmp_path / f"{number:03}", [rate], started=86400.0 * number, **fields)
        for number, rate in enumerate(rates, start=first)
    ]


def test_points_are_ordered_by_when_they_were_measured(tmp_path):
    (series,) = history(reversed(runs(tmp_path, [100.0, 101.0, 99.0])), "rows_per_second")
    assert [point.value for point in series.points] == [100.0, 101.0, 99.0]
    assert (series.points[0].commit, series.machine, series.processes) == ("aaaaaaa", "AMD EPYC, 2 cores", 1)


def test_a_point_is_the_median_of_a_runs_launches_with_the_range(tmp_path):
    (series,) = history([run_dir(tmp_path / "a", [100.0, 90.0, 104.0])], "rows_per_second")
    (point,) = series.points
    assert (point.value, point.low, point.high, point.launches) == (100.0, 90.0, 104.0, 3)


@pytest.mark.parametrize(
    "other",
    [
        {"record": {**RECORD, "machine": {"cpu": "Xeon"}}},
        {"record": {**RECORD, "processes": 2}},
        {"record": {**RECORD, "data": {"fingerprint": "beef", "identity": None}}},
        {"name": "opt-tiny-another"},
    ],
)
def test_what_is_not_comparable_is_a_series_of_its_own(tmp_path, other):
    found = history([run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], **other)], "rows_per_second")
    assert [len(series.points) for series in found] == [1, 1]


def test_versions_and_commits_may_differ_within_a_series(tmp_path):
    newer = {**RECORD, "libraries": {"python": "3.11.7", "torch": "2.14.0"}}
    found = history([run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], record=newer)], "rows_per_second")
    assert [len(series.points) for series in found] == [2]


def test_a_change_says_how_much_and_what_differs(tmp_path):
    newer = {**RECORD, "libraries": {"python": "3.11.7", "torch": "2.14.0"}}
    before = runs(tmp_path, [100.0, 100.5, 99.6, 100.2])
    after = runs(tmp_path, [94.9, 95.3, 95.0], first=5, record=newer)
    (series,) = history([*before, *after], "rows_per_second")
    (change,) = series.changes
    assert (change.at, change.differences) == (4, ["torch: 2.13.0, now 2.14.0"])
    assert change.ratio == pytest.approx(0.95, abs=0.002)
    assert series.to_json()["changes"][0]["to"] == str(tmp_path / "005")


def test_a_case_without_the_metric_has_no_series(tmp_path):
    assert history([run_dir(tmp_path / "a", [1.0])], "mfu") == []


def test_noise_alone_is_seldom_a_change():
    import numpy as np

    drawn = np.random.default_rng(0)
    marked = [bool(changes_at(100 * (1 + drawn.normal(0, 0.01, 20)))) for _ in range(60)]
    assert sum(marked) <= 3


def test_a_step_is_found_where_it_is():
    import numpy as np

    drawn = np.random.default_rng(1)
    for _ in range(10):
        values = 100 * (1 + drawn.normal(0, 0.01, 20))
        values[14:] *= 0.95
        assert [abs(place - 14) <= 1 for place in changes_at(values)] == [True]


def test_one_odd_run_is_no_change():
    values = [100.0, 100.4, 99.7, 100.1, 130.0, 99.9, 100.2, 99.8]
    assert changes_at(values) == []


def test_too_few_runs_say_nothing():
    assert changes_at([100.0, 100.1, 50.0, 50.1]) == []
