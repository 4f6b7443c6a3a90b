"""Results as GitHub's Markdown, for pull requests and READMEs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from benchspec.reports import Column, Report, Section
    from benchspec.results import Results

#: where GitHub's Markdown would see markup: what is markup between any characters, and what is only between some
_MARKUP = re.compile(
    r"""
    [\\`*|$]
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])  # emphasis, which `_` within a word is not
    | (?<=\S)~ | ~(?=~)                     # struck out, which `~` before a number is not
    | <(?=[A-Za-z/!?])                      # HTML
    | &(?=\#?\w+;)                          # a character reference
    | \](?=[(\[:]) | \[(?=\^)               # a link, an image, a definition, a footnote
    | (?<=:)/(?=/) | (?<=www)\.             # an address, which becomes a link
    | (?<!\w)\#(?!\d)                       # a heading
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: what GitHub links although it is escaped: who is mentioned and mail addresses, and the numbers of issues
_LINKED = re.compile(r"@|#(?=\d)|\bGH-(?=\d)", re.IGNORECASE)
#: what would be a list, a quotation, a heading or a box to tick at the beginning of a line
_BEGINNING = re.compile(r"^(?:[-+>=]|\d+(?=[.)])|\[(?=[ x]\]))", re.IGNORECASE)


class Markdown(Reporter):
    """A Markdown table per experiment and one of its published values, below what was run and how it came out.

    It stands between markers, by which `benchspec verify` finds it in a file and makes it anew.
    """

    name = "markdown"
    suffix = ".md"

    def render(self, results: Results) -> str:
        from benchspec.reports import build_report, marked, no_results_text

        report = build_report(results)
        if results.experiment is not None:
            text = "\n\n".join([*map(_tables, report.sections), *_footer(report)])
        else:
            body = [_section(section) for section in report.sections] or [_paragraph(no_results_text(results))]
            text = "\n\n".join([*_head(report), *body, *_footer(report)])
        return marked(str(results.folder), results.experiment, text)


def escape(text: str) -> str:
    """One line of text escaped so that Markdown shows it unchanged, also in a table cell."""
    escaped = _MARKUP.sub(lambda match: "\\" + match[0], " ".join(text.split()))
    # A space of no width, which GitHub does not look past.
    return _LINKED.sub(lambda match: match[0] + "&#8203;", escaped)


def _paragraph(text: str) -> str:
    """The same at the beginning of a line."""
    return _BEGINNING.sub(_behind_backslash, escape(text))


def _behind_backslash(match: re.Match[str]) -> str:
    return match[0] + "\\" if match[0].isdigit() else "\\" + match[0]


def _head(report: Report) -> Iterator[str]:
    """What was asked, where, and how it came out."""
    yield f"# {escape(': '.join(filter(None, (report.name, report.description))))}"
    if report.headline:
        yield f"**{escape(report.headline)}**"
    yield _list(filter(None, (report.outcomes, ", ".join(filter(None, (report.date, report.machine))))))
    if report.shared:
        yield _folded("settings of every case", _list(report.shared))


def _section(section: Section) -> str:
    return f"## {escape(section.title)}\n\n{_tables(section)}"


def _tables(section: Section) -> str:
    """An experiment's tables and notes."""
    parts = [_table(section.table), _table(section.published) if section.published else "", _list(section.notes)]
    details = _folded("further metrics", _table(section.details)) if section.details else ""
    return "\n\n".join(filter(None, (*parts, details)))


def _folded(title: str, text: str) -> str:
    """Text that a reader opens."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _table(columns: Sequence[Column]) -> str:
    from tabulate import tabulate

    return tabulate(
        [[escape(cell) for cell in row] for row in zip(*(column.cells for column in columns), strict=True)],
        headers=[escape(column.heading) for column in columns],
        tablefmt="pipe",
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_paragraph(line)}" for line in lines)


def _footer(report: Report) -> Iterator[str]:
    if report.sources:
        yield "Published:\n\n" + _list(report.sources)
    for warning in report.warnings:
        yield f"**Warning:** {escape(warning)}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Markdown]
