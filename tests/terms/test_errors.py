"""Errors as lines: where, what, and what may be meant."""

import pytest

from benchspec.terms.errors import BenchspecError, NothingSelected, Problem, SpecError, distinct, suggest

FIRST, SECOND = Problem("a.yaml", 3, 5, "name", "no"), Problem("a.yaml", 12, 1, "", "nor this", "warning")


def test_a_problem_is_a_line_with_its_place():
    assert str(FIRST) == "a.yaml:3:5: error: name: no"
    assert str(SECOND) == "a.yaml:12:1: warning: nor this"


def test_problems_are_told_once_each_in_the_order_of_the_lines():
    again = Problem("a.yaml", 3, 5, "experiments.one.name", "no")
    assert distinct([SECOND, FIRST, again, SECOND]) == [FIRST, SECOND]


def test_a_spec_error_is_all_of_its_problems():
    error = SpecError([FIRST, SECOND])
    assert str(error).splitlines() == [str(FIRST), str(SECOND)]
    assert error.problems == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("text", "line"), [("plain, ä and 文", "plain, ä and 文"), ("two\nlines\t", r"two\nlines"), ("\x1b[1m", r"\x1b[1m")]
)
def test_whatever_a_problem_quotes_it_is_one_printable_line(text, line):
    assert str(Problem("a.yaml", 3, 5, "", text)) == f"a.yaml:3:5: error: {line}"


def test_only_what_is_close_is_suggested():
    assert suggest("fspd", ["ddp", "fsdp", "single"]) == "; did you mean 'fsdp'?"
    assert suggest("zero", ["ddp", "fsdp", "single"]) == ""


def test_errors_know_their_exit_codes():
    assert (BenchspecError.exit_code, SpecError.exit_code, NothingSelected.exit_code) == (2, 2, 3)
