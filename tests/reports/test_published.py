"""Published values beside the measured ones."""

from __future__ import annotations

from example_results import oom, published, result, results, statement

from benchspec.reports import build_report, verdicts_by_case

DATA_ROWS = {"source": "the paper", "hardware": None, "metric": "dataset_rows", "value": 52002, "tolerance": 0.005}
HERE = {"hardware": "xe9680-h100"}


def table(*cases, **run):
    """The rows of the table of published values of the only experiment."""
    (section,) = build_report(results(*cases, **{**HERE, **run})).sections
    return [tuple(row) for row in zip(*(column.cells for column in section.published), strict=True)]


def test_a_published_value_stands_beside_the_measured_one_with_its_verdict():
    (section,) = build_report(results((result(), published(value=900)), **HERE)).sections
    assert {column.heading: column.cells for column in section.published} == {
        "published": ["train time"],
        "case": ["opt-6.7b"],
        "value": ["15 min [1]"],
        "measured": ["14 min 2 s"],
        "verdict": ["reproduced: within 10%"],
    }


def test_without_published_values_there_is_no_table():
    assert build_report(results(result())).sections[0].published == []


def test_each_kind_has_its_words():
    line = published(slope=180, per={"dataset.rows": 10_000})
    order = published(ordering=["opt-125m", "opt-6.7b"], by="model")
    rows = [
        result(f"opt-{n}", {"train_runtime": 200.0 * n}, case=f"rows-{n}", axes={"dataset.rows": 10_000 * n})
        for n in (1, 2, 3)
    ]
    sizes = [result(model, {"train_runtime": time}) for model, time in (("opt-125m", 60.0), ("opt-6.7b", 841.7))]
    stated = [statement(line, *rows), statement(order, *sizes)]
    cases = [*rows, (sizes[0], published(below=600)), (oom(), published(outcome="oom"))]
    assert table(*cases, sizes[1], statements=stated) == [
        ("train time per 10,000 dataset.rows", "all", "3 min [1]", "3 min 20 s", "worse: 1.1× slower"),
        ("train time over dataset.rows", "all", "linear [1]", "R² 1.0000", "reproduced: R² 1.0000 over 3 points, intercept 0 s"),
        ("train time by model", "all", "opt-125m < opt-6.7b [1]", "opt-125m < opt-6.7b", "reproduced: in the published order"),
        ("train time", "opt-125m", "< 10 min [1]", "1 min", "reproduced: below, as published"),
        ("outcome", "opt-30b", "oom [1]", "oom", "reproduced: oom, as published"),
    ]  # fmt: skip


def test_verdicts_that_say_the_same_share_a_row():
    cases = [(result(model, {"dataset_rows": 52002}), published(**DATA_ROWS)) for model in ("opt-125m", "opt-6.7b")]
    assert table(*cases) == [
        ("data rows", "opt-125m; opt-6.7b", "52,002 [1]", "52,002", "reproduced: within 0.5%"),
    ]


def test_why_nothing_can_be_compared_is_said_once_below_the_table():
    other = statement(published(value=900), result())
    other["cases"][0]["differences"] = [{"field": "train.max_steps", "published": None, "here": 4}]
    (section,) = build_report(results(result(), statements=[other, other], **HERE)).sections
    assert section.published[-1].cells == ["not comparable"]
    assert section.notes == ["not comparable with [1]: train.max_steps: 4, published without"]


def test_what_was_not_measured_is_marked():
    projected = result(basis={"train_runtime": "projected"}), published(value=900)
    assert table(projected)[0][3] == "~14 min 2 s"


def test_sources_are_listed_once_with_their_machine():
    first = (result(), published(value=900), published(**DATA_ROWS))
    report = build_report(results(first, (result("opt-13b"), published(value=2520))))
    assert report.sources == ["[1] Fauber and Patel 2023, Figure 6 (on xe9680-h100)", "[2] the paper"]


def test_a_report_opens_with_a_line_of_verdicts():
    report = build_report(results((result(), published(value=900), published(value=300)), **HERE))
    assert report.headline == "1 of 2 published values reproduced, 1 worse"


def test_verdicts_can_be_looked_up_by_case():
    found = verdicts_by_case(results((result(), published(value=900), published(below=600)), oom()))
    assert list(found) == [("sizes", "opt-6.7b-1f9c2a")]
    assert [verdict["kind"] for verdict in found["sizes", "opt-6.7b-1f9c2a"]] == ["value", "below"]
