"""A report as plain values: sections, each with tables of text.

All of its text is harmless to show, whichever spec, plugin or log it is from. A reporter escapes what its format
interprets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchspec.terms.harmless import one_line


@dataclass(frozen=True)
class Column:
    """A column of a table: a heading, and a cell of text per row."""

    heading: str
    cells: Sequence[str]
    #: whether to align the cells to the right, as numbers are
    right: bool = False

    def __post_init__(self) -> None:
        _keep(self, heading=one_line(self.heading), cells=_lines(self.cells))


@dataclass(frozen=True)
class Section:
    """The results of one experiment."""

    title: str
    #: a row per case
    table: Sequence[Column]
    #: a second table: published values of metrics that the first has no column for; often empty
    also: Sequence[Column]
    #: lines to show below the tables: how cases failed, what was not measured
    notes: Sequence[str]

    def __post_init__(self) -> None:
        _keep(self, title=one_line(self.title), notes=_lines(self.notes))


@dataclass(frozen=True)
class Report:
    """A whole report."""

    #: one per experiment
    sections: Sequence[Section]
    #: the sources of the published values, a line each, numbered as in the headings: `[1] …`
    sources: Sequence[str]
    #: warnings, a line each
    warnings: Sequence[str]
    #: the machine, as one line; empty if it is not known
    machine: str

    def __post_init__(self) -> None:
        _keep(self, sources=_lines(self.sources), warnings=_lines(self.warnings), machine=one_line(self.machine))


def _lines(texts: Iterable[str]) -> list[str]:
    return [one_line(text) for text in texts]


def _keep(frozen: Column | Section | Report, **fields: str | list[str]) -> None:
    for name, value in fields.items():
        object.__setattr__(frozen, name, value)
