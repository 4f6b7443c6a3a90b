"""Published values: read and checked."""

import pytest
from small import REFERENCE, SMALL, mistakes

from benchspec import load


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("value: 15 parsec", "'15 parsec' is not a number with a unit"),
        (
            "value: 1, below: 2",
            "give one of value, below, above, between, outcome, ordering, slope; found value and below",
        ),
        ("where: {}", "found none of them"),
        ("slope: 3 min", "'slope' and 'per' must be given together"),
        ("ordering: [a, b]", "'ordering' and 'by' must be given together"),
        ("value: 1, by: model", "'ordering' and 'by' must be given together"),
        ("ordering: [a], by: model", "needs 2 values, found 1"),
        ("below: 1, tolerance: 5%", "'tolerance' belongs to value and slope, not to 'below'"),
        ("value: 1, tolerance: much", "'much' is not a number with a unit such as '2%'"),
        ("between: [1]", "needs 2 values, found 1"),
        ("between: [10, 8]", "10 is more than 8; give the lower bound first"),
        ("value: 1, where: {modl: x}", "'modl' is not a field of a case"),
        ("outcome: broken", "'broken' is not allowed"),
    ],
)
def test_a_reference_that_makes_no_sense(write, value, message):
    (line,) = mistakes(write(REFERENCE % value))
    assert message in line


def test_a_condition_is_a_field_of_a_case_or_a_metric(write):
    text = (REFERENCE % "value: 1").replace("    values:", "    given: {%s: 1}\n    values:")
    assert mistakes(write(text % "dataset_rows")) == mistakes(write(text % "train.epochs")) == []
    (line,) = mistakes(write(text % "trian.epochs"))
    assert "'trian.epochs' is not a field of a case" in line and "or a metric" in line


def test_a_condition_is_a_setting_that_there_is(write):
    text = (REFERENCE % "value: 1, where: {%s: 1}").replace("    values:", "    given: {%s: 1}\n    values:")
    assert mistakes(write(text % ("limits.timeout", "train.save.every"))) == []
    of_given, of_where = mistakes(write(text % ("train.sed", "train.save.evry")))
    assert "'train.sed' is not a field of a case: unknown key 'sed' (allowed: epochs, " in of_given
    assert of_given.endswith("did you mean 'seed'?") and of_where.endswith("did you mean 'every'?")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("train: {sed: 1}", "'train.sed' is not a field of a case: unknown key 'sed'"),
        ("train: {save: {evry: 1}}", "'train.save.evry' is not a field of a case"),
        ("train.: 1", "'train.' is not a field of a case: unknown key ''"),
        ("limits.timeout.x: 1", "unknown key 'x'"),
        ("repeats.x: 1", "unknown key 'x'"),
    ],
)
def test_a_setting_that_there_is_not_is_told_however_it_is_written(write, condition, said):
    (line,) = mistakes(write(REFERENCE % f"value: 1, where: {{{condition}}}"))
    assert said in line and "(allowed: )" not in line


def test_a_reference_to_an_unknown_metric_or_experiment(write):
    text = (REFERENCE % "value: 1").replace("train_runtime", "train_time").replace("experiment: one", "experiment: two")
    assert "'train_time' is not allowed" in mistakes(write(text))[0]
    text = (REFERENCE % "value: 1").replace("experiment: one", "experiment: two")
    assert mistakes(write(text))[0].endswith("no experiment is called 'two' (one)")


def test_references_come_in_their_metrics_unit(write):
    value, pair = (load(write(REFERENCE % text)).references[0] for text in ("value: 15 min", "between: [1 min, 2 min]"))
    assert (value.kind, value.value) == ("value", 900)
    assert pair.value == [60, 120]


@pytest.mark.parametrize(
    ("text", "metric", "expected"),
    [
        ("value: 1", "train_runtime", 0.1),
        ("value: 1, tolerance: 25%", "train_runtime", 0.25),
        ("slope: 1, per: {dataset.rows: 2}, tolerance: 0.2", "train_runtime", 0.2),
        ("value: 1", "dataset_rows", 0.005),
        ("below: 1", "train_runtime", None),
    ],
)
def test_a_tolerance_is_the_values_own_or_that_of_its_metric(write, text, metric, expected):
    (found,) = load(write((REFERENCE % text).replace("train_runtime", metric))).references
    assert found.tolerance == expected


def test_a_sources_tolerance_is_that_of_its_values_but_for_bounds(write):
    text = (REFERENCE % "value: 1").replace("    values:", "    tolerance: 30%\n    values:")
    both = text + "      - {experiment: one, below: 2}\n      - {experiment: one, value: 3, tolerance: 1%}\n"
    assert [found.tolerance for found in load(write(both)).references] == [0.3, None, 0.01]


def test_a_mistake_in_an_expectation_is_one_line_with_place_and_reason(write):
    (line,) = mistakes(write(SMALL + "    expect: [{where: {modl: x}, outcome: ok}]\n"))
    assert "'modl' is not a field of a case" in line
