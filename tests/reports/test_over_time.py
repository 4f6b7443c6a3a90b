"""A history as text and as a figure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchspec.reports import over_time
from benchspec.results.comparing.history import Change, Point, Series

POINTS = [Point(f"runs/{n}", 86400.0 * n, "aaaaaaa", v, v - 1, v + 1, 3, {}) for n, v in enumerate([100.0, 95.0], 1)]
CHANGED = Series(
    "sizes",
    "opt-tiny-1f9c2a",
    {"model": "opt-tiny"},
    "AMD EPYC, 2 cores",
    2,
    POINTS,
    [Change(1, 0.95, ["torch: 2.13.0, now 2.14.0"])],
)


def test_a_table_a_series_with_a_line_a_run():
    lines = over_time.as_table([CHANGED], "rows_per_second").splitlines()
    assert lines[0] == "sizes: model opt-tiny, 2 processes, on AMD EPYC, 2 cores"
    assert lines[4].startswith("1970-01-02 00:00  runs/1  aaaaaaa")
    assert "95.0  94.0 to 96.0" in lines[5] and lines[5].endswith("-5.0%")
    assert lines[-1] == "-5.0% between runs/1 and runs/2: what differs is torch: 2.13.0, now 2.14.0"


def test_a_series_says_why_it_is_not_comparable_with_an_earlier_one():
    reasons = [f"option{n}: 4 in runs/1, 8 in runs/2" for n in range(5)]
    lines = over_time.as_table([replace(CHANGED, apart=reasons)], "rows_per_second").splitlines()
    assert lines[1] == f"not comparable with an earlier series: {'; '.join(reasons[:3])}; and 2 more"


def test_numbers_that_were_not_measured_are_named_so():
    assert over_time.title(replace(CHANGED, basis="projected")).endswith(", on AMD EPYC, 2 cores, projected")


def test_json_has_the_points_and_the_changes():
    (series,) = json.loads(over_time.as_json([CHANGED], "rows_per_second"))["series"]
    assert series["points"][0] == {
        "run": "runs/1",
        "started": 86400.0,
        "commit": "aaaaaaa",
        "value": 100.0,
        "low": 99.0,
        "high": 101.0,
        "launches": 3,
    }
    assert series["changes"] == [
        {"at": 1, "ratio": 0.95, "differences": ["torch: 2.13.0, now 2.14.0"], "from": "runs/1", "to": "runs/2"}
    ]


def test_it_is_said_why_no_change_is_marked():
    said = over_time.remark([CHANGED], False)
    assert "ruptures is not installed" in said and "pip install -e '.[compare]'" in said
    assert over_time.remark([CHANGED], True) == "changes are marked from 6 runs on"


def test_a_figure_has_a_chart_a_series():
    pytest.importorskip("matplotlib")
    from benchspec.reports.style import rendered

    figure = over_time.drawn([CHANGED, CHANGED], "rows_per_second")
    assert len(figure.axes) == 2
    svg = rendered(figure)["svg"].decode()
    assert "-5.0%" in svg and "1970-01-02" in svg


def test_a_figure_has_room_for_the_series_with_the_most_runs():
    short = [replace(CHANGED, points=POINTS[:1]) for _ in range(30)]
    found = over_time.charted([*short, CHANGED])
    assert len(found) == over_time.MOST_CHARTS and found[0] is CHANGED
    assert over_time.charted([*short[:3], CHANGED])[-1] is CHANGED
