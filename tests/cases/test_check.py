"""Warnings about references and expectations that match no case."""

import pytest
from small import REFERENCE, SMALL, replaced

from benchspec import load, plan
from benchspec.cases.check import check, unused_references


def test_a_reference_that_matches_no_case_gets_a_warning(write):
    spec = load(write(REFERENCE % "value: 1, where: {model: opt-125m}"))
    (warning,) = unused_references(spec, plan(spec))
    assert str(warning).endswith("'where' matches no case") and warning.severity == "warning"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (REFERENCE % "slope: 1, per: {dataset.rowz: 1}", "'per' names the field 'dataset.rowz', which no case has"),
        (
            (REFERENCE % "value: 1").replace("metric:", "hardware: xe9680-h10\n    metric:"),
            "did you mean 'xe9680-h100'?",
        ),
        (
            SMALL + "    expect: [{where: {model: opt-13b}, outcome: oom}]\n",
            "'where' matches no case",
        ),
    ],
)
def test_likely_mistakes_get_a_warning(write, text, warning):
    spec = load(write(text))
    (problem,) = unused_references(spec, plan(spec))
    assert problem.severity == "warning" and warning in str(problem)


def test_check_returns_the_spec_its_cases_and_the_mistakes_of_both(write):
    text = (
        replaced("defaults:", "descripton: x\ndefaults:")
        + "    train: {max_length: 4096}\n  two: {model: bloom-tiny}\n"
    )
    spec, expansion, problems = check(write(text))
    assert spec.name == "small"
    assert [case.experiment for case in expansion.cases] == ["one", "two"]
    assert [(problem.line, problem.path) for problem in problems] == [
        (3, "descripton"),
        (9, "experiments.one.train.max_length"),
    ]


def test_a_mistake_that_many_cases_share_is_reported_once(write):
    text = SMALL + "    train: {max_length: 4096}\n    matrix: {train.seed: [1, 2, 3]}\n"
    _, expansion, problems = check(write(text))
    assert len(expansion.cases) == 3
    assert len(problems) == 1


def test_a_mistake_that_spec_and_cases_both_find_is_reported_once(write):
    _, _, problems = check(write(replaced("opt-tiny", "opt-tini")))
    assert [problem.path for problem in problems] == ["experiments.one.model"]


def test_a_file_that_cannot_be_read_has_neither_spec_nor_cases(tmp_path):
    spec, expansion, (problem,) = check(tmp_path / "gone.yaml")
    assert (spec, expansion.cases) == (None, [])
    assert problem.message == "no such file"


def test_references_and_expectations_that_match_a_case_get_no_warning(write):
    text = (REFERENCE % "value: 1, where: {model: opt-tiny}").replace(
        "references:", "    expect: [{where: {dataset.rows: 100}, outcome: oom}]\nreferences:"
    )
    spec = load(write(text))
    assert list(unused_references(spec, plan(spec))) == []
