"""Published values beside the measured ones."""

from __future__ import annotations

from example_results import oom, published, result, results

from benchspec.reports import build_report, verdicts_by_case

DATA_ROWS = {"source": "the paper", "hardware": None, "metric": "dataset_rows", "value": 52002}


def headings(columns):
    return [column.heading for column in columns]


def table(*cases, **run):
    return build_report(results(*cases, **run)).sections[0].table


def row(*cases):
    """The only row of a report's table."""
    return {column.heading: column.cells[0] for column in table(*cases)}


def test_published_values_stand_beside_the_measured():
    found = row((result(), published(value=900)))
    assert list(found)[2:5] == ["train time", "published [1]", "measured / published"]
    assert (found["published [1]"], found["measured / published"]) == ("15 min", "0.94×")


def test_a_case_of_which_nothing_was_published_has_blank_cells():
    columns = table((result(), published(value=900)), result("opt-13b"))
    assert columns[3].cells == ["15 min", ""]


def test_published_values_of_several_metrics_say_which():
    found = row((result(), published(value=900), published(value=0.1, metric="mfu")))
    assert found["train time published [1]"] == "15 min"
    assert found["MFU published [1]"] == "10%"


def test_each_source_has_columns_of_its_own():
    cloud = published(value=10800, source="Stanford Alpaca 2023", hardware="cloud-8xa100")
    found = row((result(), published(value=900), cloud))
    assert (found["published [1]"], found["published [2]"]) == ("15 min", "3 h")


def test_an_outcome_stands_beside_the_numbers_of_its_source():
    columns = table((result(), published(value=900)), (oom(), published(metric=None, outcome="oom")))
    assert columns[3].cells == ["15 min", "oom"]
    assert columns[4].cells == ["0.94×", "met"]


def test_an_outcome_alone_has_columns_beside_the_outcome():
    columns = table((oom(), published(metric=None, outcome="oom")))
    assert headings(columns) == ["model", "outcome", "published [1]", "measured / published"]
    assert [column.cells[0] for column in columns[2:]] == ["oom", "met"]


def test_values_of_metrics_without_a_column_have_a_table_of_their_own():
    cases = [(result(model, {"dataset_rows": 52002}), DATA_ROWS) for model in ("opt-125m", "opt-6.7b")]
    (section,) = build_report(results(*cases)).sections
    assert {column.heading: column.cells for column in section.also} == {
        "also published": ["data rows"],
        "model": ["all"],
        "measured": ["52,002"],
        "published": ["52,002 [1]"],
        "measured / published": ["1.00×"],
    }


def test_sources_are_listed_once_and_other_machines_are_warned_of():
    first = (result(), published(value=900), DATA_ROWS)
    report = build_report(results(first, (result("opt-13b"), published(value=2520))))
    assert report.sources == ["[1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)", "[2] the paper"]
    assert report.warnings == ["[1] published on xe9680-h100; this run is on cpu"]


def test_the_same_machine_is_no_warning():
    assert build_report(results((result(), published(value=900)), hardware="xe9680-h100")).warnings == []


def test_slopes_are_noted_with_their_source():
    slope = {
        "experiment": "sizes",
        "metric": "train_runtime",
        "slope": 180,
        "per": {"dataset.rows": 10_000},
        "source": "Fauber and Patel 2023, Figure 4",
        "hardware": "xe9680-h100",
    }
    report = build_report(results(result(), slopes=[slope, {**slope, "experiment": "another"}]))
    assert report.sections[0].notes == ["published, not compared: 3 min more train_runtime per 10,000 dataset.rows [1]"]
    assert report.sources == ["[1] Fauber and Patel 2023, Figure 4 (on xe9680-h100)"]
    assert report.warnings == ["[1] published on xe9680-h100; this run is on cpu"]


def test_verdicts_can_be_looked_up_by_case():
    found = verdicts_by_case(results((result(), published(value=900), published(below=600)), oom()))
    assert list(found) == [("sizes", "opt-6.7b-1f9c2a")]
    assert [verdict["kind"] for verdict in found["sizes", "opt-6.7b-1f9c2a"]] == ["value", "below"]
