"""Results as GitHub's Markdown, for pull requests and READMEs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from benchspec.reports import Column, Report, Section
    from benchspec.results import Results

#: characters that Markdown would interpret as markup; `_` within a word and `<` before a space are not
_MARKUP = re.compile(r"[\\`*|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<(?=[A-Za-z/!?])")


class Markdown(Reporter):
    """A Markdown table per experiment, with published values beside the measured ones."""

    name = "markdown"
    suffix = ".md"

    def render(self, results: Results) -> str:
        from benchspec.reports import build_report, no_results_text

        report = build_report(results)
        body = [_section(section) for section in report.sections] or [escape(no_results_text(results))]
        return "\n\n".join([*body, *_footer(report)]) + "\n"


def escape(text: str) -> str:
    """Text escaped so that Markdown shows it unchanged, also in a table cell."""
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


def _footer(report: Report) -> Iterator[str]:
    if report.sources:
        yield "Published:\n\n" + _list(report.sources)
    for warning in report.warnings:
        yield f"**Warning:** {escape(warning)}"
    if report.machine:
        yield f"Machine: {escape(report.machine)}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Markdown]
