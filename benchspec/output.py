"""What commands print: results on stdout, everything about them on stderr, all of it harmless to a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from benchspec.terms.errors import BenchspecError, RunError, install
from benchspec.terms.fitting import UNLIMITED
from benchspec.terms.harmless import one_line, printable
from benchspec.terms.layout import RUN

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from benchspec.cases.check import Validated
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


def show_validated(specs: Iterable[Validated]) -> None:
    """Print the mistakes and warnings of specs."""
    for path, cases, problems in specs:
        warn(problems)
        if not any(problem.severity == "error" for problem in problems):
            show(f"{one_line(path)}: ok, {cases} case{'' if cases == 1 else 's'}")


def show_verified(file: str, differences: Sequence[str]) -> None:
    """Print what differs in the reports of a Markdown file, or that nothing does."""
    if differences:
        warn(differences)
    else:
        show(f"{one_line(file)}: as measured")


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


def complete(run_dir: str) -> None:
    """Record what a script that was measured has left without a result, because it was ended too early."""
    from pathlib import Path

    from benchspec.measuring import closing, folder
    from benchspec.running import rundir

    if not (Path(run_dir) / RUN).is_file() or not folder.is_own(Path(run_dir)):
        return
    # While a training writes there, or where nothing can be written, what is recorded is shown.
    with suppress(RunError, OSError), rundir.locked(Path(run_dir)):
        for result in closing.settle(Path(run_dir)):
            warn([f"{result.full_name}, launch {result.launch}: {result.outcome} was recorded now"])


def same(one: str, other: str) -> bool:
    """Whether two paths lead to the same folder."""
    from pathlib import Path

    return Path(one).resolve() == Path(other).resolve()


def check_figure(path: str) -> None:
    """Raise `BenchspecError` if a figure cannot be drawn into a file of this name."""
    from importlib.util import find_spec
    from pathlib import PurePath

    if PurePath(path).suffix.lower() not in (".svg", ".png"):
        raise BenchspecError(f"--figure {path}: its name must end in .svg or .png")
    if find_spec("matplotlib") is None:
        raise BenchspecError(f"matplotlib is not installed: {install('figures')}, then draw again")


def save_figure(path: str, figure: Figure) -> None:
    """Write a figure into a file, whole or not at all; raises `BenchspecError` if that is impossible."""
    from pathlib import Path

    from benchspec.reports.style import rendered
    from benchspec.terms.layout import write_whole

    content = rendered(figure)[Path(path).suffix.lower().removeprefix(".")]
    try:
        write_whole(Path(path), content)
    except OSError as error:
        # The message of the error names a temporary file.
        raise BenchspecError(f"--figure {path}: cannot be written ({error.strerror})") from None
    warn([f"figure in {path}"])


def open_page(registry: Registry, results: Results, names: Sequence[str]) -> None:
    """Make reports, among them the page, and open that in the reader's browser."""
    import webbrowser

    for page in show_reports(registry, results, names):
        if page.suffix == ".html" and not webbrowser.open(page.as_uri()):
            warn([f"no browser was found; open {page}"])
