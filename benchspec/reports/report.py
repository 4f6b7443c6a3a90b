"""A report as plain values: sections, each with tables of text.

All of its text is harmless to show, whichever spec, plugin or log it is from. A reporter escapes what its format
interprets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchspec.terms.harmless import one_line


@dataclass(frozen=True)
class Column:
    """A column of a table: a heading, and a cell of text per row."""

    heading: str
    cells: Sequence[str]
    #: whether to align the cells to the right, as numbers are
    right: bool = False
    #: the numbers that the cells show, to sort by; None where a cell shows none
    numbers: Sequence[float | None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _keep(self, heading=one_line(self.heading), cells=_lines(self.cells))


@dataclass(frozen=True)
class Section:
    """The results of one experiment."""

    title: str
    #: a row per case, of few columns
    table: Sequence[Column]
    #: a row per case, with the metrics that the first table has no column for; may be empty
    details: Sequence[Column]
    #: a row per published value; may be empty
    published: Sequence[Column]
    #: lines to show below the tables: how cases failed, what was not measured
    notes: Sequence[str]
    #: a row per prompt of each case, with the answer; may be empty
    answers: Sequence[Column] = ()

    def __post_init__(self) -> None:
        _keep(self, title=one_line(self.title), notes=_lines(self.notes))


@dataclass(frozen=True)
class Report:
    """A whole report."""

    #: what was asked: the benchmark's name and its description, which may be empty
    name: str
    description: str
    #: when it was started, as YYYY-MM-DD in UTC; empty if that is not known
    date: str
    #: the machine, as one line; empty if it is not known
    machine: str
    #: how many published values were reproduced, in one line; empty if nothing was published
    headline: str
    #: how many cases ended in which way, in one line
    outcomes: str
    #: the settings that all cases share, each as `field value`
    shared: Sequence[str]
    #: one per experiment
    sections: Sequence[Section]
    #: the sources of the published values, a line each, numbered as in the tables: `[1] …`
    sources: Sequence[str]
    #: warnings, a line each
    warnings: Sequence[str]

    def __post_init__(self) -> None:
        for name in ("name", "description", "date", "machine", "headline", "outcomes"):
            _keep(self, **{name: one_line(getattr(self, name))})
        for name in ("shared", "sources", "warnings"):
            _keep(self, **{name: _lines(getattr(self, name))})


def _lines(texts: Iterable[str]) -> list[str]:
    return [one_line(text) for text in texts]


def _keep(frozen: Column | Section | Report, **fields: str | list[str]) -> None:
    for name, value in fields.items():
        object.__setattr__(frozen, name, value)
