"""Spec -> cases: defaults, an experiment's own fields, and its matrix over both."""

import pytest
from plugged import beside
from small import SMALL, mistakes

from benchspec import SpecError, load, plan
from benchspec.cases.check import check as checked
from benchspec.cases.expand import expand
from benchspec.kinds.registry import Registry
from benchspec.spec.spec import check


def test_without_a_matrix_an_experiment_is_one_case(cases):
    (case,) = cases("title: One")
    assert (case.experiment, case.model["name"], dict(case.axes)) == ("one", "opt-tiny", {})


def test_an_experiment_overrides_defaults_and_a_matrix_overrides_both(cases):
    first, second = cases("train: {seed: 1, epochs: 2}\nmatrix: {train.seed: [5, 6]}")
    assert (first.train["seed"], second.train["seed"], first.train["epochs"]) == (5, 6, 2)
    assert dict(first.axes) == {"train.seed": 5}


def test_an_axis_value_may_be_a_mapping(cases):
    found = cases(
        "matrix:\n  train: [{batch_size: 1, max_length: 64}, {batch_size: 2}]\n  backend: [ddp, {name: deepspeed, stage: 2}]"
    )
    assert [(case.train["batch_size"], case.train["max_length"]) for case in found[::2]] == [(1, 64), (2, 512)]
    assert found[1].backend["stage"] == 2
    assert found[1].id.startswith("opt-tiny-batch_size-1-max_length-64-deepspeed-stage-2-")


def test_an_axis_reaches_into_a_nested_plugin(cases):
    found = cases("dataset: {name: resampled, of: synthetic, rows: 5}\nmatrix: {dataset.of.rows: [10, 20]}")
    assert [case.dataset["of"]["rows"] for case in found] == [10, 20]


def test_an_axis_may_give_an_option_that_is_required(cases):
    found = cases("dataset: {name: resampled, of: synthetic}\nmatrix: {dataset.rows: [10, 20]}")
    assert [case.dataset["rows"] for case in found] == [10, 20]


def test_an_axis_of_an_option_is_one_of_the_default_plugin(cases):
    found = cases("matrix: {launcher.processes: [1, 2]}")
    assert [(case.launcher["name"], case.launcher["processes"]) for case in found] == [("torchrun", 1), ("torchrun", 2)]


def test_of_two_overlapping_axes_the_longer_path_wins(cases):
    first, second = cases("matrix: {dataset.rows: [1, 8], dataset: [synthetic]}")
    assert (first.dataset["rows"], second.dataset["rows"]) == (1, 8)


def test_two_cases_that_differ_in_name_only_are_a_mistake(cases):
    with pytest.raises(SpecError, match=r"the cases 'opt-tiny-.*' differ in name only"):
        cases("matrix: {train: [{epochs: 1}, {epochs: 2}], train.epochs: [7]}")


def test_a_huge_matrix_is_refused_without_expanding_it(cases):
    axes = ", ".join(f"train.{key}: [{', '.join(map(str, range(1, 60)))}]" for key in ("seed", "batch_size", "epochs"))
    with pytest.raises(SpecError, match="the matrix has 205,379 combinations; at most 2,000 are allowed: split"):
        cases(f"matrix: {{{axes}}}")


def test_expected_outcomes(cases):
    fields = "matrix: {model: [opt-tiny, bloom-tiny]}\nexpect: [{where: {model: bloom-tiny}, outcome: [oom, ok]}]"
    assert [case.expected for case in cases(fields)] == [("ok",), ("oom", "ok")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "    matrix: {trian.seed: [3]}\n",
            "spec.yaml:8:14: error: experiments.one.matrix.trian.seed: unknown axis path",
        ),
        (SMALL + "    matrix: {train.seed: [1, 1]}\n", "two cases have the id 'opt-tiny-seed-1-"),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    "lines",
    [
        "matrix: {train.seed: 3}",
        "matrix: {include: [3]}",
        "matrix: [1]",
        "matrix: {exclude: {}}",
    ],
)
def test_an_experiment_that_the_schema_refuses_is_not_expanded(write, lines):
    spec, problems = check(write(SMALL + f"    {lines}\n  two: {{model: bloom-tiny}}\n"))
    assert len(problems) == 1
    found = expand(spec)
    assert [case.experiment for case in found.cases] == ["two"] and found.problems == []


@pytest.mark.parametrize("lines", ["expect: [{}]", "expect: 3", "expect: [{outcome: ook}]"])
def test_an_expectation_that_the_schema_refuses_hides_no_mistake_of_the_cases(write, lines):
    text = SMALL.replace("model: opt-tiny", "model: opt-tny") + f"    {lines}\n"
    spec, problems = check(write(text))
    assert len(problems) == 2, "the model and the expectation"
    assert expand(spec).cases == []


def test_an_option_is_one_of_the_default_plugin_however_it_is_given(write):
    """Also where another package has a plugin of the default's name."""
    torchrun = Registry.load().find("launcher", "torchrun").cls
    registry = beside(type("Other", (torchrun,), {"__doc__": "Another.", "presets": {}}))
    (by_axis,) = plan(load(write(SMALL + "    matrix: {launcher.processes: [2]}\n"), registry=registry))
    (by_set,) = plan(load(write(SMALL), ["defaults.launcher.processes=2"], registry=registry))
    assert by_axis.launcher == by_set.launcher and by_axis.launcher["name"] == "benchspec:torchrun"


def test_all_mistakes_of_a_matrix_are_told_at_once(write):
    matrix = "{modl: [opt-tiny], train.sed: [1], method: [lorra], include: [{x: 1}], exclude: [{trian.seed: 1}]}"
    found = expand(check(write(SMALL + f"    matrix: {matrix}\n"))[0])
    said = [problem.message.partition(" (")[0] for problem in found.problems]
    assert said == [
        "unknown axis path 'modl'",
        "unknown key 'sed'",
        "no method is called 'lorra'",
        "unknown axis path 'x'",
        "'trian.seed' is not an axis of this matrix",
    ]


def test_what_is_misspelt_is_not_missing_too(write):
    _, found, problems = checked(write(SMALL.replace("experiments:", "experiment:")))
    assert [problem.message.partition(" (")[0] for problem in problems] == ["unknown key 'experiment'"]
    _, found, problems = checked(write(SMALL.replace("model: opt-tiny", "modl: opt-tiny")))
    assert [problem.message.partition(" (")[0] for problem in problems] == ["unknown key 'modl'"]
    assert found.cases == []


def test_an_axis_of_no_field_is_reported_once_and_not_for_each_combination(write):
    text = SMALL + "    matrix: {train.seed: [1, 2, 3], trian.epochs: [1, 2], include: [{modle: opt-tiny}]}\n"
    first, second = mistakes(write(text))
    assert "unknown axis path 'trian.epochs'" in first and "unknown axis path 'modle'" in second


def test_an_axis_of_very_many_steps_is_refused(write):
    (line,) = mistakes(write(SMALL + f"    matrix:\n      ? train{'.a' * 30_000}\n      : [1]\n"))
    assert "unknown axis path 'train.a.a" in line and len(line) < 500


def test_a_spec_of_very_many_cases_is_refused(write, monkeypatch):
    monkeypatch.setattr("benchspec.cases.expand.MAX_CASES", 3)
    text = SMALL + "".join(f"  more{number}: {{model: opt-tiny}}\n" for number in range(10))
    (line,) = mistakes(write(text))
    assert line == "spec.yaml:10:10: error: experiments.more2: the spec has more than 3 cases: split it into several"
