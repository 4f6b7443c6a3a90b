"""A case and its file."""

from benchspec.cases.case import Case


def test_a_case_survives_its_file(cases):
    (case,) = cases("matrix: {train.seed: [1]}")
    assert Case.from_json(case.to_json()) == case


def test_a_case_shows_itself_by_its_name(cases):
    (case,) = cases("matrix: {train.seed: [1]}")
    assert repr(case) == f"<Case {case.experiment}/{case.id}>"
