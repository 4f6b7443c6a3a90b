"""Published values compared with what was measured."""

from __future__ import annotations

import pytest
from example_results import result

from benchspec.results.launches import together
from benchspec.results.verdicts import headline, judge

MACHINE = "xe9680-h100"


def statement(kind, published, *cases, metric="train_runtime", **fields):
    """A statement of these cases, by default of one; a case is its name, or a pair of its name and its `at`."""
    pairs = [case if isinstance(case, tuple) else (case, None) for case in cases or ("a",)]
    return {
        "source": "a paper",
        "hardware": MACHINE,
        "metric": None if kind == "outcome" else metric,
        "kind": kind,
        "published": published,
        "tolerance": 0.1 if kind in ("value", "slope") else None,
        "where": {},
        "given": {},
        "by": None,
        "per": None,
        "experiment": "sizes",
        "named": True,
        "cases": [{"case": case, "at": at, "differences": []} for case, at in pairs],
        **fields,
    }


def measured(case="a", seconds=900.0, outcome="ok", launch=1, **metrics):
    return result(case=case, outcome=outcome, launch=launch, metrics={"train_runtime": seconds, **metrics})


def verdict(given, *results, hardware=MACHINE):
    (found,) = judge([given], results, hardware)
    return found


def short(given, *results, hardware=MACHINE):
    found = verdict(given, *results, hardware=hardware)
    return found["verdict"], found["words"]


def test_a_verdict_says_what_was_published_of_which_case_and_what_was_measured():
    assert verdict(statement("value", 900, where={"model": "opt-6.7b"}), measured(seconds=450)) == {
        "source": "a paper",
        "hardware": MACHINE,
        "experiment": "sizes",
        "case": "a",
        "where": {"model": "opt-6.7b"},
        "kind": "value",
        "metric": "train_runtime",
        "by": None,
        "per": None,
        "published": 900,
        "measured": 450,
        "ratio": 0.5,
        "interval": None,
        "basis": None,
        "verdict": "better",
        "words": "2× faster",
        "differences": [],
    }


@pytest.mark.parametrize(
    ("kind", "published", "seconds", "expected"),
    [
        ("value", 900, 989, ("reproduced", "within 10%")),
        ("value", 900, 811, ("reproduced", "within 10%")),
        ("value", 900, 1080, ("worse", "1.2× slower")),
        ("value", 900, 290, ("better", "3.1× faster")),
        ("value", 900, 60, ("better", "15× faster")),
        ("below", 600, 599, ("reproduced", "below, as published")),
        ("below", 600, 1200, ("worse", "2× slower")),
        ("between", [900, 1080], 1000, ("reproduced", "within the published range")),
        ("between", [900, 1080], 450, ("better", "2× faster")),
        ("between", [900, 1080], 2160, ("worse", "2× slower")),
    ],
)
def test_a_time_is_reproduced_better_or_worse(kind, published, seconds, expected):
    assert short(statement(kind, published), measured(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("metric", "published", "found", "expected"),
    [
        ("rows_per_second", 100, 250, ("better", "2.5× faster")),
        ("rows_per_second", 100, 50, ("worse", "2× slower")),
        ("peak_memory_allocated", 100, 112, ("worse", "12% more memory")),
        ("energy", 100, 80, ("better", "20% less energy")),
        ("dataset_rows", 52002, 52003, ("reproduced", "within 0.5%")),
        ("dataset_rows", 52002, 60000, ("differs", "15.4% more")),
        ("final_loss", 1.0, 1.5, ("worse", "50% higher")),
    ],
)
def test_each_metric_in_its_own_direction_and_words(metric, published, found, expected):
    tolerance = 0.005 if metric == "dataset_rows" else 0.1
    given = statement("value", published, metric=metric, tolerance=tolerance)
    assert short(given, measured(**{metric: found})) == expected


def test_another_machine_counts_neither_way_and_shows_the_ratio():
    found = verdict(statement("value", 900), measured(seconds=2700), hardware="h200")
    assert (found["verdict"], found["ratio"]) == ("other machine", 3)
    assert found["words"] == "3× slower; published on xe9680-h100"


@pytest.mark.parametrize(
    "given",
    [
        statement("value", 52002, metric="dataset_rows", tolerance=0.005),
        statement("outcome", "ok"),
        statement("value", 52002, metric="dataset_rows", tolerance=0.005, hardware=None),
    ],
)
def test_counts_and_outcomes_are_judged_on_any_machine(given):
    assert short(given, measured(dataset_rows=52002), hardware="h200")[0] == "reproduced"


def test_an_outcome_is_reproduced_or_differs():
    assert short(statement("outcome", "oom"), measured(outcome="oom")) == ("reproduced", "oom, as published")
    assert short(statement("outcome", "oom"), measured()) == ("differs", "ok, not oom")


def test_a_condition_that_does_not_hold_is_named_and_the_number_still_shown():
    given = statement("value", 900)
    given["cases"][0]["differences"] = [
        {"field": "train.max_steps", "published": None, "here": 4},
        {"field": "train.precision", "published": "bf16", "here": "fp32"},
    ]
    found = verdict(given, measured(seconds=9))
    assert (found["verdict"], found["measured"]) == ("not comparable", 9)
    assert found["words"] == "train.max_steps: 4, published without; train.precision: fp32, published with bf16"


@pytest.mark.parametrize(("rows", "expected"), [(52002, "reproduced"), (52200, "reproduced"), (100, "not comparable")])
def test_a_metric_among_the_conditions_agrees_within_half_a_percent(rows, expected):
    given = statement("value", 900, given={"dataset_rows": 52002, "train.epochs": 3})
    assert short(given, measured(dataset_rows=rows))[0] == expected


def test_a_condition_that_was_not_measured_does_not_hold_unless_the_case_failed_before():
    given = {"dataset_rows": 52002}
    assert short(statement("value", 900, given=given), measured()) == (
        "not comparable",
        "dataset_rows: none, published with 52002",
    )
    assert short(statement("outcome", "oom", given=given), measured(outcome="oom"))[0] == "reproduced"


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ((), "no result"),
        ((measured(outcome="oom"),), "oom"),
        ((result(case="a", metrics={}),), "without train_runtime"),
    ],
)
def test_what_has_no_number_is_not_run(results, words):
    found = verdict(statement("value", 900), *results)
    assert (found["verdict"], found["words"], found["measured"]) == ("not run", words, None)
    assert short(statement("outcome", "oom"))[0] == "not run"


def test_not_run_comes_before_not_comparable_and_that_before_another_machine():
    given = statement("value", 900)
    given["cases"][0]["differences"] = [{"field": "train.max_steps", "published": None, "here": 4}]
    assert short(given)[0] == "not run"
    assert short(given, measured(), hardware="h200")[0] == "not comparable"


ORDER = statement(
    "ordering", ["s", "m", "l"], ("a", "s"), ("b", "m"), ("c", "l"), by="model", hardware="another"
)  # fmt: skip


def test_an_order_is_one_verdict_on_any_machine():
    found = verdict(ORDER, measured("a", 1), measured("b", 2), measured("c", 3))
    assert (found["verdict"], found["measured"], found["case"]) == ("reproduced", ["s", "m", "l"], None)
    assert short(ORDER, measured("a", 1), measured("b", 3), measured("c", 2)) == ("differs", "measured: s < l < m")


def test_an_order_is_of_the_cases_that_are_ok_and_names_the_others():
    failed = measured("c", 0, outcome="oom")
    assert short(ORDER, measured("a", 1), measured("b", 2), failed) == (
        "reproduced",
        "in the published order; without l",
    )
    assert short(ORDER, measured("a", 1), failed) == ("not run", "l oom")


SLOPE = statement("slope", 180, *((name, rows) for name, rows in zip("abc", (1, 2, 3), strict=True)), per={"x": 1})


def test_a_slope_is_two_verdicts_the_slope_and_the_line():
    slope, line = judge([SLOPE], [measured("a", 200), measured("b", 380), measured("c", 560)], MACHINE)
    assert (slope["kind"], slope["verdict"], slope["measured"]) == ("slope", "reproduced", pytest.approx(180))
    assert slope["interval"] == pytest.approx([1, 1])
    assert (line["kind"], line["verdict"], line["measured"]) == ("linear", "reproduced", pytest.approx(1))
    assert line["words"] == "R² 1.0000 over 3 points, intercept 20 s"


def test_a_curve_is_not_linear_and_two_points_are_no_line():
    _, line = judge([SLOPE], [measured("a", 100), measured("b", 100), measured("c", 900)], MACHINE)
    assert line["verdict"] == "differs"
    slope, line = judge([SLOPE], [measured("a", 200), measured("b", 380)], MACHINE)
    assert (slope["verdict"], line["verdict"], line["words"]) == (
        "reproduced",
        "not run",
        "1 of 3 cases have no result",
    )


@pytest.mark.parametrize("published", [0, -100])
def test_a_slope_may_be_published_as_zero_or_negative(published):
    slope, _ = judge(
        [{**SLOPE, "published": published}], [measured("a", 600), measured("b", 520), measured("c", 400)], MACHINE
    )
    assert slope["measured"] == pytest.approx(-100)
    if published:
        low, high = slope["interval"]
        assert low < slope["ratio"] < high
    else:
        assert slope["interval"] is None


def test_a_slope_of_another_machine_is_not_judged_but_its_linearity_is():
    found = judge([SLOPE], [measured("a", 20), measured("b", 38), measured("c", 56)], "h200")
    assert [each["verdict"] for each in found] == ["other machine", "reproduced"]
    assert found[0]["words"] == "10× faster; published on xe9680-h100"


def test_a_line_counts_the_verdicts():
    names = ["reproduced"] * 9 + ["better"] * 2 + ["worse"] + ["not run"] * 11
    verdicts = [{"verdict": name} for name in names]
    assert headline(verdicts) == "9 of 12 published values reproduced, 2 better, 1 worse; 11 not run"
    assert headline([{"verdict": "other machine"}]) == "1 other machine"
    assert headline([]) == ""


def test_a_case_that_was_skipped_did_not_run():
    assert short(statement("outcome", "oom"), measured(outcome="skipped"))[0] == "not run"


def test_out_of_memory_beside_anothers_memory_says_nothing_of_the_case():
    crowded = result(case="a", outcome="oom", record={"others": ["3 GiB of process 7"]})
    assert short(statement("outcome", "oom"), crowded) == ("not run", "oom beside another's memory")


def test_without_a_named_experiment_only_cases_that_meet_the_conditions_are_meant():
    given = statement("value", 900, given={"dataset_rows": 52002}, named=False)
    assert judge([given], [measured(dataset_rows=100)], MACHINE) == []
    assert [each["verdict"] for each in judge([given], [measured(dataset_rows=52002)], MACHINE)] == ["reproduced"]
    assert [each["verdict"] for each in judge([given], [], MACHINE)] == ["not run"]


def test_an_outcome_of_launches_that_disagree_is_another_one():
    launches = together([measured(), *(measured(launch=n, outcome=o) for n, o in ((2, "oom"), (3, "oom")))])
    assert short(statement("outcome", "oom"), *launches) == ("differs", "1 ok, 2 oom, not oom")
    assert short(statement("outcome", "oom"), *together([measured(outcome="oom")] * 2)) == (
        "reproduced",
        "oom, as published",
    )


def test_an_order_of_numbers_is_one_of_numbers():
    order = statement("ordering", [8, 16], ("a", 8), ("b", 16), by="train.batch_size")
    (found,) = judge([order], [measured("a", 2.0), measured("b", 1.0)], MACHINE)
    assert (found["published"], found["measured"], found["words"]) == ([8, 16], [16, 8], "measured: 16 < 8")


def test_several_cases_of_one_name_must_all_be_in_their_place():
    order = statement(
        "ordering", ["deepspeed", "fsdp"], ("a", "deepspeed"), ("b", "deepspeed"), ("c", "fsdp"), by="backend"
    )
    fast, slow, other = measured("a", 1.0), measured("b", 9.0), measured("c", 5.0)
    assert short(order, fast, slow, other)[0] == "differs"
    assert short(order, fast, measured("b", 4.0), other) == ("reproduced", "in the published order")


def test_a_slope_over_a_field_that_is_no_number_in_some_case_is_of_the_others():
    per = {"train.max_steps": 1}
    given = statement("slope", 10.0, ("a", 1), ("b", 2), ("c", None), per=per)
    found = judge([given], [measured("a", 10.0), measured("b", 20.0), measured("c", 99.0)], MACHINE)
    assert [each["verdict"] for each in found] == ["reproduced", "not run"]
    assert found[1]["words"] == "fewer than 3 different numbers of train.max_steps"


def test_a_small_excess_is_told_in_percent():
    assert short(statement("below", 600), measured(seconds=600.5)) == ("worse", "0.083% slower")
