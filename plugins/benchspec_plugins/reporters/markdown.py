"""Results as GitHub's Markdown, for pull requests and READMEs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from benchspec.reports import Report, Section
    from benchspec.results import Results


class Markdown(Reporter):
    """A Markdown table per experiment and one of its published values, below what was run and how it came out.

    It stands between markers, by which `benchspec verify` finds it in a file and makes it anew.
    """

    name = "markdown"
    suffix = ".md"

    def render(self, results: Results) -> str:
        from benchspec.reports import build_report, marked, no_results_text
        from benchspec.reports.markdown import paragraph

        report = build_report(results)
        if results.experiment is not None:
            text = "\n\n".join([*map(_tables, report.sections), *_footer(report)])
        else:
            body = [_section(section) for section in report.sections] or [paragraph(no_results_text(results))]
            text = "\n\n".join([*_head(report), *body, *_footer(report)])
        return marked(str(results.folder), results.experiment, text)


def _head(report: Report) -> Iterator[str]:
    """What was asked, where, and how it came out."""
    from benchspec.reports.markdown import bullets, escape, folded

    yield f"# {escape(': '.join(filter(None, (report.name, report.description))))}"
    if report.headline:
        yield f"**{escape(report.headline)}**"
    yield bullets(filter(None, (report.outcomes, ", ".join(filter(None, (report.date, report.machine))))))
    if report.shared:
        yield folded("settings of every case", bullets(report.shared))


def _section(section: Section) -> str:
    from benchspec.reports.markdown import escape

    return f"## {escape(section.title)}\n\n{_tables(section)}"


def _tables(section: Section) -> str:
    """An experiment's tables and notes."""
    from benchspec.reports.markdown import bullets, folded, table

    parts = [table(section.table), table(section.published) if section.published else "", bullets(section.notes)]
    further = {"further metrics": section.details, "answers": section.answers}
    details = [folded(title, table(columns)) for title, columns in further.items() if columns]
    return "\n\n".join(filter(None, (*parts, *details)))


def _footer(report: Report) -> Iterator[str]:
    from benchspec.reports.markdown import bullets, escape

    if report.sources:
        yield "Published:\n\n" + bullets(report.sources)
    for warning in report.warnings:
        yield f"**Warning:** {escape(warning)}"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Markdown]
