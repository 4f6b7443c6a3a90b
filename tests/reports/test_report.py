"""A report as plain values."""

from __future__ import annotations

import dataclasses

import pytest

from benchspec.reports import Column, Report, Section

HOSTILE = "two\nlines \x1b]52;c;aa\x07\u202e"
SHOWN = r"two lines \x1b]52;c;aa\x07\u202e"


def texts(value):
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from texts(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)


def test_every_text_of_a_report_is_one_harmless_line():
    column = Column(HOSTILE, (HOSTILE, HOSTILE))
    section = Section(title=HOSTILE, table=[column], details=[column], published=[], notes=(HOSTILE,))
    one = dict.fromkeys(("name", "description", "date", "machine", "headline", "outcomes"), HOSTILE)
    several = {name: [HOSTILE] for name in ("shared", "sources", "warnings")}
    report = Report(sections=[section], **one, **several)
    found = list(texts(report))
    assert len(found) == 3 + 3 + 2 + 6 + 3
    assert set(found) == {SHOWN}


def test_ordinary_text_stays_as_it_is():
    assert Column("train time", ["14 min 2 s", "–"], right=True).cells == ["14 min 2 s", "–"]


def test_a_report_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Column("a", []).heading = "b"
