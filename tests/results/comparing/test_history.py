"""A metric over many runs."""

from __future__ import annotations

from shutil import rmtree

import pytest
from compared_runs import CASE, RECORD, add, run_dir

from benchspec.results import Results
from benchspec.results.comparing.history import history

#: a case that names a file, and trains with another batch size
WITH_A_FILE = {**CASE, "dataset": {"name": "alpaca", "path": "/here/alpaca.json"}}
ELSEWHERE = {**CASE, "dataset": {"name": "alpaca", "path": "/there/alpaca.json"}}
LARGER = {**CASE, "train": {**CASE["train"], "batch_size": 8}}


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
        {"case": LARGER},
        {"axes": {"model": "opt-tiny", "dataset.rows": 128}},
        {"basis": {"rows_per_second": "projected"}},
    ],
)
def test_what_is_not_comparable_is_a_series_of_its_own(tmp_path, other):
    found = history([run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], **other)], "rows_per_second")
    assert [len(series.points) for series in found] == [1, 1]


def test_versions_and_commits_may_differ_within_a_series(tmp_path):
    newer = {**RECORD, "libraries": {"python": "3.11.7", "torch": "2.14.0"}}
    found = history([run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], record=newer)], "rows_per_second")
    assert [len(series.points) for series in found] == [2]


def test_a_series_says_how_it_differs_from_an_earlier_one(tmp_path):
    before, after = run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], case=LARGER)
    first, second = history([before, after], "rows_per_second")
    assert (first.apart, second.apart) == ((), [f"train.batch_size: 4 in {tmp_path}/a, 8 in {tmp_path}/b"])


def test_the_same_case_of_another_checkout_and_version_is_in_the_same_series(tmp_path):
    here = run_dir(tmp_path / "a", [1.0], case=WITH_A_FILE)
    # The places of files are part of the id, and a version may record more of the machine.
    record = {**RECORD, "machine": {**RECORD["machine"], "memory": "64 GiB"}}
    there = run_dir(tmp_path / "b", [1.0], case=ELSEWHERE, name="opt-tiny-another", record=record)
    assert [len(series.points) for series in history([here, there], "rows_per_second")] == [2]


@pytest.mark.parametrize(("name", "lengths"), [("opt-tiny-1f9c2a", [2]), ("opt-tiny-another", [1, 1])])
def test_without_its_case_json_a_case_is_known_by_its_id(tmp_path, name, lengths):
    found = [run_dir(tmp_path / "a", [1.0]), run_dir(tmp_path / "b", [1.0], name=name)]
    rmtree(tmp_path / "b" / "cases")
    assert [len(series.points) for series in history(found, "rows_per_second")] == lengths


def test_a_launch_that_failed_counts_for_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    add(tmp_path / "a", 1, None, record={})
    add(tmp_path / "a", 2, 100.0)
    (series,) = history([Results.load(tmp_path / "a"), run_dir(tmp_path / "b", [101.0])], "rows_per_second")
    assert [(point.value, point.launches) for point in series.points] == [(100.0, 1), (101.0, 1)]


def test_a_change_says_how_much_and_what_differs(tmp_path):
    pytest.importorskip("ruptures")
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
