"""A report as plain values: sections, each with tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of a table: a heading, and a cell of text per row."""

    heading: str
    cells: Sequence[str]
    #: whether to align the cells to the right, as numbers are
    right: bool = False


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
