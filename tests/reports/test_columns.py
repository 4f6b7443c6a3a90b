"""Results -> columns."""

from __future__ import annotations

from example_results import GIB, oom, result, results

from benchspec.reports import Column, axis_columns, build_report, by_experiment, metric_column


def rows(*cases, **run):
    """The first table of a report: a mapping from heading to cell for each row."""
    table = build_report(results(*cases, **run)).sections[0].table
    return [
        dict(zip([column.heading for column in table], cells, strict=True))
        for cells in zip(*(c.cells for c in table), strict=True)
    ]


def test_parallel_efficiency_is_a_column_where_processes_vary():
    cases = [
        result(str(n), {"rows_per_second": rate}, case=str(n), axes={"launcher.processes": n}, record={"processes": n})
        for n, rate in ((8, 100.0), (16, 170.0))
    ]
    assert [row["parallel efficiency"] for row in rows(*cases)] == ["100%", "85%"]
    assert "parallel efficiency" not in rows(result())[0]


def test_columns_without_a_value_are_left_out():
    (row,) = rows(result(metrics={"train_runtime": 12.345}))
    assert row == {"model": "opt-6.7b", "outcome": "ok", "train time": "12.3 s"}


def test_the_heading_says_whose_memory_it_is():
    (row,) = rows(result(metrics={"host_peak_memory": 812 * 2**20}))
    assert row["peak host memory"] == "812 MiB"
    assert "peak memory" not in row


def test_an_axis_is_headed_by_the_last_part_of_its_path_unless_another_has_the_same():
    axes = {"train.batch_size": 4, "dataset.rows": 10_000, "dataset.of.rows": 52_002}
    (row,) = rows(result(axes=axes))
    assert list(row)[:3] == ["batch_size", "dataset.rows", "dataset.of.rows"]
    assert (row["batch_size"], row["dataset.rows"]) == ("4", "10,000")


def test_an_axis_that_a_case_lacks_is_blank():
    found = rows(
        result(axes={"model": "opt-6.7b", "train.tf32": False}), result(case="other", axes={"model": "opt-13b"})
    )
    assert [row["tf32"] for row in found] == ["false", ""]


def test_cases_that_their_axes_do_not_tell_apart_are_named():
    """As of a script that was measured with other settings."""
    found = rows(result(case="opt-1"), result(case="opt-2"))
    assert [row["case"] for row in found] == ["opt-1", "opt-2"]


def test_without_axes_the_case_is_named():
    (row,) = rows(result(axes={}))
    assert row["case"] == "opt-6.7b-1f9c2a"


def test_a_reporter_can_make_a_table_of_its_own():
    group = by_experiment(results(result(), oom()))["sizes"]
    assert axis_columns(group) == [Column("model", ["opt-6.7b", "opt-30b"])]
    peaks = metric_column(group, "peak_memory_reserved")
    assert peaks == Column("reserved memory", ["–", "–"], right=True)
    assert metric_column([result(metrics={"steps": 1200, "peak_memory_reserved": GIB})], "steps").cells == ["1,200"]
