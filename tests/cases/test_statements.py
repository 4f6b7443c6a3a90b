"""References × cases -> what was published of which cases."""

from __future__ import annotations

import pytest

from benchspec import load, plan
from benchspec.cases.statements import statements

SPEC = """\
benchspec: 1
name: small
defaults:
  dataset: {name: synthetic, rows: 100}
  train: {max_steps: 4}
experiments:
  sizes:
    matrix: {model: [opt-tiny, bloom-tiny, gpt-j-tiny]}
  rows:
    model: opt-tiny
    matrix: {dataset.rows: [10, 20], train.seed: [1, 2]}
references:
  - source: a paper
    hardware: xe9680-h100
    metric: train_runtime
    given: {train.max_steps: null, train.epochs: 3, dataset_rows: 100, dataset: synthetic}
    values:
      - %s
"""


@pytest.fixture
def stated(write):
    """The statements of one published value, over the cases of two experiments."""

    def stated(value, *, text=SPEC):
        spec = load(write(text % value))
        return statements(spec.references, plan(spec))

    return stated


def cases(statement):
    return [(each["case"].rsplit("-", 1)[0], each["at"]) for each in statement["cases"]]


def test_a_value_is_a_statement_of_each_case_that_it_matches(stated):
    both = stated("{experiment: sizes, value: 15 min}")
    assert [cases(each) for each in both] == [
        [("opt-tiny", None)],
        [("bloom-tiny", None)],
        [("gpt-j-tiny", None)],
    ]
    (one,) = stated("{experiment: sizes, where: {model: opt-tiny}, value: 15 min}")
    assert {key: one[key] for key in ("source", "hardware", "metric", "kind", "published", "tolerance")} == {
        "source": "a paper",
        "hardware": "xe9680-h100",
        "metric": "train_runtime",
        "kind": "value",
        "published": 900,
        "tolerance": 0.1,
    }
    assert (one["experiment"], one["where"]) == ("sizes", {"model": "opt-tiny"})


def test_the_fields_in_which_a_case_is_another_are_named_and_metrics_left_for_later(stated):
    (statement,) = stated("{experiment: sizes, where: {model: opt-tiny}, value: 1}")
    assert statement["cases"][0]["differences"] == [{"field": "train.max_steps", "published": None, "here": 4}]
    assert statement["given"]["dataset_rows"] == 100


def test_an_order_is_one_statement_of_the_cases_that_it_names(stated):
    (statement,) = stated("{experiment: sizes, ordering: [opt-tiny, gpt-j-tiny, opt-13b], by: model}")
    assert cases(statement) == [("opt-tiny", "opt-tiny"), ("gpt-j-tiny", "gpt-j-tiny")]


def test_a_slope_is_one_statement_of_the_cases_that_differ_in_nothing_else(stated):
    found = stated("{experiment: rows, slope: 3 min, per: {dataset.rows: 10}}")
    assert [(each["where"], [case["at"] for case in each["cases"]]) for each in found] == [
        ({"train.seed": 1}, [10, 20]),
        ({"train.seed": 2}, [10, 20]),
    ]


def test_without_an_experiment_a_reference_is_of_every_case_that_meets_its_conditions(stated):
    assert stated("{value: 15 min}") == []
    whole = SPEC.replace("max_steps: 4", "max_steps: null")
    assert len(stated("{value: 15 min}", text=whole)) == 7
    found = stated("{slope: 3 min, per: {dataset.rows: 10}}", text=whole)
    assert [each["experiment"] for each in found] == ["rows", "rows"]
    (order,) = stated("{ordering: [opt-tiny, bloom-tiny], by: model}", text=whole)
    assert order["experiment"] == "sizes"
