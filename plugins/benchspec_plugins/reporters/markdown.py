"""Results as GitHub's Markdown, for pull requests and READMEs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.results.results import Results

if TYPE_CHECKING:
    from benchspec_plugins.reporters.rows import Column, Report, Section

#: what Markdown would take for markup: but for `_` within a word and `<` before a blank, which are often meant
_MARKUP = re.compile(r"[\\`*|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<(?=[A-Za-z/!?])")


class Markdown(Reporter):
    """A Markdown table for each experiment, published values beside the measured."""

    name = "markdown"
    suffix = ".md"

    def render(self, results: Results) -> str:
        from benchspec_plugins.reporters.rows import nothing, report

        whole = report(results)
        body = [_section(section) for section in whole.sections] or [escape(nothing(results))]
        return "\n\n".join([*body, *_foot(whole)]) + "\n"


def escape(text: str) -> str:
    """Text that stands in Markdown as it is, also in a table's cell."""
    return _MARKUP.sub(lambda match: "\\" + match[0], " ".join(text.split()))


def _section(section: Section) -> str:
    parts = [_table(section.table), _table(section.also) if section.also else "", _list(section.notes)]
    return f"## {escape(section.title)}\n\n" + "\n\n".join(filter(None, parts))


def _table(columns: Sequence[Column]) -> str:
    from tabulate import tabulate

    return tabulate(
        [[escape(cell) for cell in row] for row in zip(*(column.cells for column in columns), strict=True)],
        headers=[escape(column.heading) for column in columns],
        tablefmt="pipe",
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _foot(whole: Report) -> Iterator[str]:
    if whole.sources:
        yield "Published:\n\n" + _list(whole.sources)
    for warning in whole.warnings:
        yield f"**Warning:** {escape(warning)}"
    if whole.machine:
        yield f"Machine: {escape(whole.machine)}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Markdown]
