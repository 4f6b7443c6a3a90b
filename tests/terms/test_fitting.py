"""Tables that fit a width."""

import pytest

from benchspec.terms.fitting import fitted

ROWS = [["opt-tiny", "a text of some words that go on and on", "7"], ["opt-125m", "a short one", "1,000"]]


def table(width, rows=ROWS):
    return fitted(rows, ["name", "text", "rows"], width, wrapped=[1], right=[2])


def test_a_table_that_fits_stays_as_it_is():
    assert (
        table(80)
        == """\
name      text                                      rows
--------  --------------------------------------  ------
opt-tiny  a text of some words that go on and on       7
opt-125m  a short one                              1,000"""
    )


@pytest.mark.parametrize("width", [54, 40, 30])
def test_a_table_that_is_too_wide_wraps_its_texts(width):
    text = table(width)
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(word for line in text.splitlines() for word in line[10:].split() if word.isalpha()).startswith(
        "text"
    )
    assert all(name in text for name in ("opt-tiny", "opt-125m", "1,000", "short"))


def test_a_text_stays_itself_whatever_it_looks_like():
    rows = [["opt-tiny", "False", "7"], ["opt-125m", "a text of some words that goes on and on\nNone", "1e3"]]
    text = table(40, rows)
    assert "False" in text and "None" in text and "1e3" in text


def test_a_text_is_not_made_too_narrow_to_read():
    assert max(map(len, table(5).splitlines())) > 25


def test_a_table_without_rows_is_its_heading():
    assert table(80, []).splitlines()[0].split() == ["name", "text", "rows"]
