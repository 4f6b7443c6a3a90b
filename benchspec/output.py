"""What commands print: results on stdout, everything about them on stderr, all of it harmless to a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from benchspec.terms.errors import Problem
from benchspec.terms.fitting import UNLIMITED
from benchspec.terms.harmless import one_line, printable

if TYPE_CHECKING:
    from pathlib import Path

    from benchspec.kinds.registry import Registry
    from benchspec.results.results import Results


def show(text: str) -> None:
    """Print on stdout; control characters, which names and reports may hold, are shown and do not act."""
    click.echo(printable(text))


def warn(lines: Iterable[object]) -> None:
    """Print each as one line on stderr."""
    for line in lines:
        click.echo(one_line(str(line)), err=True)


def width() -> int:
    """The terminal's width in characters; where the output goes elsewhere, lines stay whole for other programs."""
    return shutil.get_terminal_size(fallback=(UNLIMITED, 24)).columns


def show_checked(checked: Sequence[tuple[str, int, Sequence[Problem]]]) -> None:
    """Print the mistakes and warnings of specs, each given by its path, the number of its cases and its problems."""
    for path, cases, problems in checked:
        warn(problems)
        if not any(problem.severity == "error" for problem in problems):
            show(f"{one_line(path)}: ok, {cases} case{'' if cases == 1 else 's'}")


def show_reports(registry: Registry, results: Results, names: Sequence[str]) -> list[Path]:
    """Print the reports in `names`; without any, print and save those that the spec names. Returns what was written."""
    from benchspec.reports import render as reports

    written: reports.Written = {}
    try:
        for text in reports.printed(registry, results, names, written=written):
            show(text.rstrip("\n"))
    finally:
        if written:
            warn([f"reports in {results.folder}: {reports.listed(results.folder, written)}"])
    return list(written)


def open_page(registry: Registry, results: Results, names: Sequence[str]) -> None:
    """Make reports, among them the page, and open that in the reader's browser."""
    import webbrowser

    for page in show_reports(registry, results, names):
        if page.suffix == ".html" and not webbrowser.open(page.as_uri()):
            warn([f"no browser was found; open {page}"])
