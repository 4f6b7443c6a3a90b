"""Results -> charts as values."""

from __future__ import annotations

import pytest
from example_results import oom, published, result, results, statement

from benchspec.reports import Bound, Line, Mark, Series, charts

HERE = {"hardware": "xe9680-h100"}


def chart(*cases, metric="train_runtime", **run):
    (found,) = charts(results(*cases, **{**HERE, **run}), metric)
    return found


def rows(count, seconds):
    """A result of this many rows."""
    return result(metrics={"train_runtime": seconds}, case=f"rows-{count}", axes={"dataset.rows": count})


def test_names_are_places_and_cases_that_failed_are_marked():
    found = chart(result("opt-125m", {"train_runtime": 150.0}), result("opt-6.7b", {"train_runtime": 900.0}), oom())
    assert (found.title, found.name) == ("Fine-tuning time by model size (Figure 6)", "sizes")
    assert (found.x_label, found.y_label) == ("model", "train time (min)")
    assert found.places == ["opt-125m", "opt-6.7b", "opt-30b"]
    assert found.series == [
        Series(
            "",
            [
                Mark("opt-125m", 2.5, "measured"),
                Mark("opt-6.7b", 15.0, "measured"),
                Mark("opt-30b", None, "failed", "oom"),
            ],
        )
    ]
    assert found.lines == []


def test_numbers_are_a_numeric_axis_with_a_fitted_line():
    found = chart(*(rows(count, 3600.0 * count / 10_000) for count in (30_000, 10_000, 20_000)))
    assert (found.places, found.x_label, found.y_label) == (None, "dataset.rows", "train time (h)")
    assert [(mark.x, mark.y) for mark in found.series[0].marks] == [(10_000, 1), (20_000, 2), (30_000, 3)]
    (line,) = found.lines
    assert line == Line("fitted line, R² 1.0000", pytest.approx(1e-4), pytest.approx(0, abs=1e-9), published=False)


def test_two_points_have_no_fitted_line():
    assert chart(rows(10_000, 60.0), rows(20_000, 120.0)).lines == []


def test_a_second_axis_makes_groups_and_a_numeric_one_lies_across():
    cases = [
        result(
            metrics={"train_runtime": 60.0 * seed}, case=f"{model}-{seed}", axes={"model": model, "train.seed": seed}
        )
        for model in ("opt-tiny", "bloom-tiny")
        for seed in (1, 2)
    ]
    found = chart(*cases)
    assert (found.x_label, found.places) == ("train.seed", None)
    assert [(series.name, [mark.x for mark in series.marks]) for series in found.series] == [
        ("model opt-tiny", [1, 2]),
        ("model bloom-tiny", [1, 2]),
    ]


def test_cases_of_scripts_of_ones_own_have_a_place_each():
    """As tables have a column of the settings in which they differ."""
    cases = [result(case=f"m-{size}", axes={"model": "m"}) for size in (4, 8)]
    settings = {case.full_name: {"train.batch_size": size} for case, size in zip(cases, (4, 8), strict=True)}
    found = chart(*cases, settings=settings)
    assert found.x_label == "train.batch_size"
    assert [[mark.x for mark in series.marks] for series in found.series] == [[4, 8]]


def test_what_was_not_measured_says_so_and_has_its_interval():
    (series,) = chart(result(basis={"train_runtime": "projected"}, intervals={"train_runtime": [600.0, 900.0]})).series
    assert (series.marks[0].basis, series.marks[0].ends) == ("projected", (10.0, 15.0))


def test_several_launches_are_their_median_with_the_range():
    found = [result(launch=n, metrics={"train_runtime": 60.0 * n}) for n in (10, 11, 14)]
    (series,) = chart(*found).series
    assert [(mark.y, mark.ends) for mark in series.marks] == [(11.0, (10.0, 14.0))]
    assert chart(result()).series[0].marks[0].ends is None


def test_published_values_stand_at_the_place_of_their_case_by_source():
    values = published(value=900), published(below=600), published(between=[600, 1200], source="another", hardware=None)
    found = chart((result(metrics={"train_runtime": 900.0}), *values))
    assert found.published == [
        Series(
            "Fauber and Patel 2023, Figure 6 (on xe9680-h100)",
            bounds=[Bound("opt-6.7b", 15, 15), Bound("opt-6.7b", None, 10)],
        ),
        Series("another", bounds=[Bound("opt-6.7b", 10, 20)]),
    ]


def test_what_cannot_be_compared_or_was_not_run_is_not_drawn():
    other = statement(published(value=900), result())
    other["cases"][0]["differences"] = [{"field": "train.max_steps", "published": None, "here": 4}]
    assert chart(result(), statements=[other]).published == []
    assert chart(result(), (oom(), published(value=900))).published == []


def test_a_published_slope_is_a_line_from_the_origin():
    cases = [rows(count, 190.0 * count / 10_000) for count in (10_000, 20_000, 30_000)]
    slope = statement(published(slope=180, per={"dataset.rows": 10_000}), *cases)
    _, line = chart(*cases, statements=[slope]).lines
    assert (line.published, line.intercept, line.slope * 10_000) == (True, 0, pytest.approx(3))
    assert line.label == "published slope, from the origin: Fauber and Patel 2023, Figure 6 (on xe9680-h100)"


def test_a_metric_without_a_number_has_no_chart_unless_a_case_failed():
    assert charts(results(result(metrics={})), "train_runtime") == []
    assert charts(results()) == []


@pytest.mark.parametrize(
    ("metric", "value", "label", "shown"),
    [
        ("peak_memory_allocated", 3 * 2**30, "peak memory (GiB)", 3),
        ("mfu", 0.25, "MFU (%)", 25),
        ("rows_per_second", 185.0, "rows/s (rows/s)", 185),
        ("train_runtime", 3.5, "train time (s)", 3.5),
    ],
)
def test_each_metric_has_its_unit(metric, value, label, shown):
    found = chart(result(metrics={metric: value}), metric=metric)
    assert (found.y_label, found.series[0].marks[0].y) == (label, shown)
