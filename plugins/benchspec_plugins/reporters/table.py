"""Results as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.terms.fitting import fitted

if TYPE_CHECKING:
    from benchspec.reports import Column, Report, Section
    from benchspec.results import Results

#: characters of a line of text
WIDTH = 110
#: a cell of more characters may go on in the next line
LONG = 24
#: a column in tabulate's output is at least this much wider than its heading
MARGIN = 2


class Table(Reporter):
    """A plain-text table per experiment and one of its published values, below what was run and how it came out."""

    name = "table"
    suffix = ".txt"

    def render(self, results: Results) -> str:
        from benchspec.reports import build_report, no_results_text

        report = build_report(results)
        body = [_section(section) for section in report.sections] or [no_results_text(results)]
        return "\n\n".join([_head(report), *body, *_further(report), *_footer(report)]) + "\n"


def _head(report: Report) -> str:
    """What was asked, where, and how it came out; no line longer than a terminal is wide."""
    title = ": ".join(filter(None, (report.name, report.description)))
    machine = ", ".join(filter(None, (report.date, report.machine)))
    shared = f"every case: {', '.join(report.shared)}" if report.shared else ""
    lines = [title, machine, report.headline, report.outcomes, shared]
    return "\n".join(fill(line, WIDTH, subsequent_indent="  ") for line in lines if line)


def _section(section: Section) -> str:
    tables = [_table(columns) for columns in (section.table, section.published) if columns]
    notes = "\n".join(fill(note, WIDTH, subsequent_indent="  ", break_long_words=False) for note in section.notes)
    return f"{section.title}\n\n" + "\n\n".join(filter(None, (*tables, notes, _answers(section.answers))))


def _further(report: Report) -> Iterator[str]:
    """What was measured besides, which has no room here, and where it is shown."""
    without_room = [
        column.heading
        for section in report.sections
        for column in section.details
        if column.heading not in {shown.heading for shown in section.table}
    ]
    if without_room:
        names = ", ".join(dict.fromkeys(without_room))
        yield fill(f"measured too, shown by --format markdown, html and csv: {names}", WIDTH, subsequent_indent="  ")


def _answers(columns: Sequence[Column]) -> str:
    """What was asked, and below each prompt the answer."""
    rows = zip(*(column.cells for column in columns), strict=True)
    lines = [(", ".join(filter(None, axes)), prompt, answer) for *axes, prompt, answer in rows]
    return "\n".join(
        fill(text, WIDTH, initial_indent=indent, subsequent_indent="    ")
        for case, prompt, answer in lines
        for text, indent in ((f"{case}: {prompt}", ""), (answer or "(nothing)", "  → "))
    )


def _table(columns: Sequence[Column]) -> str:
    rows = list(zip(*(column.cells for column in columns), strict=True))
    # Names stay whole, to be copied, and so does the last column, which pushes nothing aside.
    long = [place for place, column in enumerate(columns[:-1]) if any(map(_is_long, column.cells))]
    right = [place for place, column in enumerate(columns) if column.right]
    return fitted(rows, [fold(column) for column in columns], WIDTH, long, right)


def _is_long(cell: str) -> bool:
    return len(cell) > LONG and " " in cell


def fold(column: Column) -> str:
    """A column's heading; if it is wider than the cells, broken into two lines as evenly as possible."""
    width = max(map(len, column.cells), default=0) - MARGIN
    words = column.heading.replace("/s", " /s").split()
    foldings = ["\n".join([" ".join(words[:at]), " ".join(words[at:])]) for at in range(1, len(words))]
    if len(column.heading) <= width or not foldings:
        return column.heading
    return min(foldings, key=lambda folding: max(map(len, folding.split("\n"))))


def _footer(report: Report) -> Iterator[str]:
    if report.sources:
        yield "\n".join(["Published", *report.sources])
    if report.warnings:
        yield "\n".join(f"warning: {warning}" for warning in report.warnings)


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Table]
