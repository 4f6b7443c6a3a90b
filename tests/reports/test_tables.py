"""Results -> tables as values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_results import RUN, oom, result, results

from benchspec.reports import Column, build_report, no_results_text
from benchspec.results import Results


def rows(*cases, **run):
    """The first table of a report: a mapping from heading to cell for each row."""
    table = build_report(results(*cases, **run)).sections[0].table
    return [
        dict(zip([column.heading for column in table], cells, strict=True))
        for cells in zip(*(c.cells for c in table), strict=True)
    ]


def notes(*cases, **run):
    return build_report(results(*cases, **run)).sections[0].notes


def test_a_table_says_what_a_reader_wants_to_know():
    assert rows(result()) == [
        {
            "model": "opt-6.7b",
            "outcome": "ok",
            "train time": "14 min 2 s",
            "rows/s": "185",
            "MFU": "10.4%",
            "peak memory": "40.5 GiB",
            "final loss": "0.923",
        }
    ]


def test_what_has_no_room_is_in_the_details():
    (section,) = build_report(results(result())).sections
    assert {column.heading: column.cells[0] for column in section.details} == {
        "model": "opt-6.7b",
        "tokens/s": "21,366",
        "step p50": "1.38 s",
        "peak host memory": "9.00 GiB",
    }
    assert build_report(results(result(metrics={"train_runtime": 1.0}))).sections[0].details == []


def test_answers_are_a_table_of_their_own_and_cannot_move_the_cursor():
    answers = [{"prompt": "Name two.\nQuickly.", "text": "Red\x1b[2J"}, {"prompt": "And?", "text": ""}]
    (section,) = build_report(results(result(answers=answers), result("opt-13b"))).sections
    assert [[column.heading, *column.cells] for column in section.answers] == [
        ["model", "opt-6.7b", "opt-6.7b"],
        ["prompt", "Name two. Quickly.", "And?"],
        ["answer", "Red\\x1b[2J", ""],
    ]
    assert build_report(results(result())).sections[0].answers == []


PLANNED = [["sizes", "opt-6.7b-1f9c2a"], ["sizes", "opt-30b-1f9c2a"]]


def test_a_report_says_what_was_asked_and_how_the_cases_ended():
    asked = {"spec": {"description": "How long it takes"}, "started": 1.7e9, "shared": {"train.epochs": 3}}
    report = build_report(results(result(), oom(), cases=[*PLANNED, ["sizes", "c"]], **asked))
    assert (report.name, report.description, report.date) == ("xe9680", "How long it takes", "2023-11-14")
    assert (report.outcomes, report.shared) == ("3 cases: 1 ok, 1 oom, 1 without a result", ["train.epochs 3"])


def test_each_experiment_has_a_section_with_its_title():
    report = build_report(results(result(), result(experiment="rows", axes={"dataset.rows": 10_000})))
    assert [section.title for section in report.sections] == ["Fine-tuning time by model size (Figure 6)", "rows"]
    assert report.sections[1].table[0] == Column("rows", ["10,000"], right=True)
    assert report.machine == "no accelerator; 1 × Xeon; benchspec 0.1.0"


def launches(*times, **fields):
    return [result(launch=n, attempt=str(n), metrics={"train_runtime": t}, **fields) for n, t in enumerate(times, 1)]


def test_a_case_with_launches_is_a_row_of_medians_with_the_range():
    (row,) = rows(*launches(12.0, 10.0, 11.0))
    assert (row["outcome"], row["train time"]) == ("3 ok", "11 s (10 to 12 s)")
    assert notes(*launches(12.0, 10.0, 11.0)) == ["each number is the median of 3 launches, with the range"]


def test_launches_that_failed_are_counted_and_explained_one_by_one():
    failed = result(launch=3, attempt="3", outcome="crash", phase="train", reason="ValueError: no", metrics={})
    (row,) = rows(*launches(12.0, 10.0), failed)
    assert (row["outcome"], row["train time"]) == ("2 ok, 1 crash", "11 s (10 to 12 s)")
    assert notes(*launches(12.0, 10.0), failed)[1] == "opt-6.7b-1f9c2a, launch 3: crash in train: ValueError: no"


def test_the_outcomes_count_launches():
    run = {"cases": PLANNED, "repeats": {"sizes/opt-6.7b-1f9c2a": 2, "sizes/opt-30b-1f9c2a": 2}}
    report = build_report(results(*launches(12.0, 10.0), oom(), **run))
    assert report.outcomes == "2 cases, 4 launches: 2 ok, 1 oom, 1 without a result"
    assert report.warnings == ["1 of 4 launches has no result yet"]


def test_what_a_case_did_not_get_to_measure_is_a_dash():
    _, failed = rows(result(), oom())
    assert (failed["outcome"], failed["train time"], failed["MFU"]) == ("oom (first-step)", "–", "–")


def test_a_result_that_depends_on_something_that_changed_is_marked_and_explained():
    changed = {"1": ["torch: 2.12.0, now 2.13.0", "driver: 535, now 570"]}
    kept, other = result(), result("opt-13b")
    run = {"changed": {"sizes/opt-6.7b-1f9c2a": changed}}
    assert [row["outcome"] for row in rows(kept, other, **run)] == ["ok †", "ok"]
    assert notes(kept, other, **run) == [
        "† changed since this was measured: torch: 2.12.0, now 2.13.0; driver: 535, now 570 (opt-6.7b-1f9c2a)"
    ]
    assert notes(kept, **run) == [
        "† changed since this was measured: torch: 2.12.0, now 2.13.0; driver: 535, now 570 (opt-6.7b-1f9c2a)"
    ]


def test_a_result_that_was_measured_again_since_is_not_marked():
    run = {"changed": {"sizes/opt-6.7b-1f9c2a": {"1": ["torch: 2.12.0, now 2.13.0"]}}}
    assert rows(result(attempt="2"), **run)[0]["outcome"] == "ok"
    assert notes(result(attempt="2"), **run) == []


def test_energy_and_cost_are_shown_where_they_are_known():
    known = {"energy": 1_780_000.0, "cost": 1234.5}
    (row,) = rows(result(metrics=known, currency="USD"))
    assert (row["energy"], row["cost"]) == ("1.78 MJ", "1,234.50 USD")
    assert notes(result(metrics=known, currency="USD")) == []


def test_a_cost_without_a_currency_says_how_to_name_it():
    unnamed = result(metrics={"cost": 1234.5})
    assert rows(unnamed)[0]["cost"] == "1,234.50"
    assert notes(unnamed) == ["cost is in the currency of price_per_hour, which the hardware's option `currency` names"]


def test_what_was_not_measured_is_marked_and_noted():
    projected = result(basis={"train_runtime": "projected", "mfu": "predicted"})
    row, _ = rows(projected, result("opt-13b"))
    assert (row["train time"], row["MFU"]) == ("~14 min 2 s", "~10.4%")
    assert row["rows/s"] == "185"
    assert notes(projected, result("opt-13b")) == [
        "~ projected, not measured: train time of opt-6.7b-1f9c2a",
        "~ predicted, not measured: MFU of opt-6.7b-1f9c2a",
    ]
    both = notes(projected, replace(projected, case="another"))
    assert both[0].endswith("train time of every case")


@pytest.mark.parametrize("outcome", ["crash", "oom", "timeout", "hang"])
def test_what_a_case_that_is_not_ok_had_measured_is_not_shown(outcome):
    failed = result("opt-13b", outcome=outcome, phase="train", rank=0, reason="a reason", basis={"mfu": "projected"})
    _, row = rows(result(), failed)
    assert row.pop("model") == "opt-13b" and row.pop("outcome") == f"{outcome} (train)"
    assert set(row.values()) == {"–"}
    assert not any("projected" in note for note in notes(result(), failed))
    assert list(rows(failed)[0]) == ["model", "outcome"]


def test_cases_without_a_result_are_counted():
    planned = [["sizes", "opt-6.7b-1f9c2a"], ["sizes", "opt-13b-0"], ["sizes", "opt-30b-0"]]
    assert build_report(results(result(), cases=planned)).warnings == ["2 of 3 cases have no result yet"]
    assert build_report(results(result(), cases=planned[:2])).warnings == ["1 of 2 cases has no result yet"]


def test_results_without_run_json_have_a_report():
    report = build_report(Results([result()]))
    assert (report.sections[0].title, report.machine, report.sources, report.warnings) == ("sizes", "", [], [])


def test_no_results_are_no_sections_but_a_sentence():
    empty = results()
    assert build_report(empty).sections == []
    assert no_results_text(empty) == "No results: no case of 'xe9680' has ended yet."


def test_an_answer_of_white_space_is_no_empty_one():
    answers = [{"prompt": "Say it.", "text": " \n  "}, {"prompt": "Say nothing.", "text": ""}]
    *_, told = build_report(Results([result(answers=answers)], RUN)).sections[0].answers
    assert told.cells == ["(white space: 4 characters)", ""]
