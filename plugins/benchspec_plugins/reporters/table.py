"""Results as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.results.results import Results

if TYPE_CHECKING:
    from benchspec_plugins.reporters.rows import Column, Report, Section

#: how much wider than its heading tabulate makes a column
MARGIN = 2


class Table(Reporter):
    """A table of plain text for each experiment, published values beside the measured."""

    name = "table"
    suffix = ".txt"

    def render(self, results: Results) -> str:
        from benchspec_plugins.reporters.rows import nothing, report

        whole = report(results)
        body = [_section(section) for section in whole.sections] or [nothing(results)]
        return "\n\n".join([*body, *_foot(whole)]) + "\n"


def _section(section: Section) -> str:
    parts = [_table(section.table), _table(section.also) if section.also else "", "\n".join(section.notes)]
    return f"{section.title}\n\n" + "\n\n".join(filter(None, parts))


def _table(columns: Sequence[Column]) -> str:
    from tabulate import tabulate

    return tabulate(
        list(zip(*(column.cells for column in columns), strict=True)),
        headers=[fold(column) for column in columns],
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )


def fold(column: Column) -> str:
    """A heading, in two lines as short as can be where the cells leave it no room."""
    room = max(map(len, column.cells), default=0) - MARGIN
    words = column.heading.replace("/s", " /s").split()
    ways = ["\n".join([" ".join(words[:at]), " ".join(words[at:])]) for at in range(1, len(words))]
    if len(column.heading) <= room or not ways:
        return column.heading
    return min(ways, key=lambda way: max(map(len, way.split("\n"))))


def _foot(whole: Report) -> Iterator[str]:
    if whole.sources:
        yield "\n".join(["Published", *whole.sources])
    if whole.warnings:
        yield "\n".join(f"warning: {warning}" for warning in whole.warnings)
    if whole.machine:
        yield f"Machine: {whole.machine}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Table]
