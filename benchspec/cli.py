"""The command line: one short function a command, and the only place where errors become text and exit codes."""

from __future__ import annotations

import io
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from benchspec.terms.errors import BenchspecError, Problem, SpecError, distinct
from benchspec.terms.fitting import UNLIMITED
from benchspec.terms.harmless import json_text, one_line, printable

if TYPE_CHECKING:
    from pathlib import Path

    from benchspec.cases.case import Case
    from benchspec.cases.expand import Expansion
    from benchspec.cases.needs import Needed
    from benchspec.kinds.registry import Registry
    from benchspec.results.results import Results
    from benchspec.spec.spec import Spec

INTERRUPTED = 130


def _completing(what: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """A function of `benchspec.completion`, for a shell that completes a word; after an error it offers nothing."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[Any]:
        with suppress(Exception), redirect_stderr(io.StringIO()):
            from benchspec import completion

            return list(getattr(completion, what)(context, begun))
        return []

    return complete


_SET = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="PATH=VALUE",
    help="Set a value of the spec, e.g. defaults.train.max_steps=20.",
)
_REPORTER = click.option(
    "--reporter",
    "--format",
    "reporters",
    multiple=True,
    metavar="NAME",
    help="Print this report, such as json, instead of those that the spec names.",
    shell_complete=_completing("reporters"),
)
_FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
_SPEC = click.argument("spec", metavar="SPEC", shell_complete=_completing("spec_files"))
#: the signals that end a command
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> NoReturn:
    """Run a command; print an error as one line and exit with its code."""
    for signum in _SIGNALS:
        # Under nohup a hang-up is ignored, in a shell's background an interrupt.
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _interrupt)
    try:
        sys.exit(cli.main(standalone_mode=False))
    except SpecError as error:
        _fail(map(str, distinct(error.problems)), error.exit_code)
    except BenchspecError as error:
        _fail([f"error: {error}"], error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail([f"error: {error.format_message()} ({_help(error)})"], 2)
    except (KeyboardInterrupt, click.Abort):
        _fail(["interrupted"], INTERRUPTED)
    except RecursionError:
        _fail(["error: nested too deeply: a plugin's option may be the plugin itself"], 2)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed the pipe.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _fail([f"error: {error.filename or 'benchspec'}: {error.strerror or error}"], 2)


def _interrupt(signum: int, frame: Any) -> NoReturn:
    # A second signal must not interrupt the clean-up, which ends the run's processes. Not SIG_IGN: of one that has
    # come already, Python would then print a traceback.
    for each in _SIGNALS:
        signal.signal(each, _pass_over)
    raise KeyboardInterrupt


def _pass_over(signum: int, frame: Any) -> None:
    pass


def _help(error: click.ClickException) -> str:
    """Where to read how the command that was called, or any, is called."""
    context = getattr(error, "ctx", None)
    if context is None or context.parent is None:
        return "`benchspec --help` lists the commands"
    return f"`benchspec {context.info_name} --help` shows its options"


def _fail(lines: Iterable[str], code: int) -> NoReturn:
    _warn(lines)
    sys.exit(code)


def _warn(lines: Iterable[object]) -> None:
    """Print each as one line on stderr."""
    for line in lines:
        click.echo(one_line(str(line)), err=True)


def _print(text: str) -> None:
    """Print on stdout; control characters, which names and reports may hold, are shown and do not act."""
    click.echo(printable(text))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="benchspec")
def cli() -> None:
    """Benchmark the fine-tuning of language models, as described in a YAML spec."""


@cli.command()
@_SPEC
@click.option(
    "--out", metavar="DIR", help="The run directory.  [default: runs/NAME]", shell_complete=_completing("folders")
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Run the cases whose EXPERIMENT/ID contains PATTERN, or matches it as a glob.",
    shell_complete=_completing("experiments"),
)
@_SET
@click.option("--fresh", is_flag=True, help="Move an existing run directory aside and start from the beginning.")
@click.option(
    "--rerun",
    type=click.Choice(["changed"]),
    metavar="changed",
    help="Measure again what depends on data, processes, a machine, versions or commits that have changed since.",
)
@_REPORTER
def run(
    spec: str,
    out: str | None,
    only: Sequence[str],
    sets: Sequence[str],
    fresh: bool,
    rerun: Literal["changed"] | None,
    reporters: Sequence[str],
) -> int:
    """Run the cases that have no result yet, then report."""
    from benchspec import run as running
    from benchspec.running import progress
    from benchspec.running.agenda import selected

    loaded, expansion, _ = _checked(spec, sets)
    _check_reporters(loaded.registry, reporters or loaded.report)
    try:
        shown = progress.for_stream(sys.stderr)
        results = running(loaded, out, only=only, fresh=fresh, rerun=rerun, progress=shown, expansion=expansion)
    except KeyboardInterrupt:
        # A terminal shows ^C without a newline after it.
        click.echo(nl=sys.stderr.isatty(), err=True)
        cases = selected(expansion.cases, only)
        _fail([_kept(out or f"runs/{loaded.name}", cases, "without --fresh " if fresh else "")], INTERRUPTED)
    _report(loaded.registry, results, reporters)
    return _exit_code(results)


@cli.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=_completing("spec_files"))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def validate(specs: Sequence[str], form: str) -> int:
    """Check specs and report everything that is wrong with them."""
    from benchspec.kinds.registry import Registry

    registry = Registry.load()
    checked = [(path, *_problems(path, registry)) for path in specs]
    problems = [problem for _, _, found in checked for problem in found]
    if form == "json":
        _print(json_text([_as_json(problem) for problem in problems]))
    else:
        _print_checked(checked)
    return 2 if any(problem.severity == "error" for problem in problems) else 0


@cli.command()
@_SPEC
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Show the cases whose EXPERIMENT/ID contains PATTERN, or matches it as a glob.",
    shell_complete=_completing("experiments"),
)
@click.option(
    "--out",
    metavar="DIR",
    help="The run directory, to show which cases are done.  [default: runs/NAME]",
    shell_complete=_completing("runs"),
)
@_SET
@_FORMAT
def plan(spec: str, only: Sequence[str], out: str | None, sets: Sequence[str], form: str) -> None:
    """Show the cases, what each will need, and which are done already, without running any."""
    from pathlib import Path

    from benchspec.cases import needs
    from benchspec.cases.check import missing
    from benchspec.results.journal import read_journal
    from benchspec.running.agenda import selected, unfinished

    loaded, expansion, needed = _checked(spec, sets)
    _warn(missing(expansion))
    folder = Path(out or f"runs/{loaded.name}")
    cases, results = selected(expansion.cases, only), read_journal(folder)
    plans = needs.planned(needed, cases, results, unfinished(cases, results))
    if form == "json":
        _print(needs.as_json(plans))
    else:
        _print(needs.as_table(plans, folder if folder.exists() else None, _width()))


@cli.command()
@click.argument("run_dir", metavar="RUN", shell_complete=_completing("runs"))
@_REPORTER
@click.option(
    "--experiment", metavar="NAME", help="Report on this experiment alone.", shell_complete=_completing("measured")
)
@click.option("--open", "opening", is_flag=True, help="Make the page of the reporter html, and open it in a browser.")
def report(run_dir: str, reporters: Sequence[str], experiment: str | None, opening: bool) -> int:
    """Report on an existing run directory again."""
    from benchspec.kinds.registry import Registry
    from benchspec.results.results import Results

    registry = Registry.load()
    _check_reporters(registry, [*reporters, "html"] if opening else reporters)
    results = Results.load(run_dir)
    if experiment is not None:
        results = results.of_experiment(experiment)
    if opening:
        _open(registry, results, [*reporters, "html"])
    else:
        _report(registry, results, reporters)
    return _exit_code(results)


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE.md...", shell_complete=_completing("pages"))
@click.option("--write", is_flag=True, help="Bring the reports up to date.")
def verify(files: Sequence[str], write: bool) -> int:
    """Make the reports between benchspec's markers in Markdown files anew, and say what differs.

    Exit code 1 if anything does, and --write is not given.
    """
    from benchspec.reports import verify as reports

    told = [line for file in files for line in reports.verify(file, write=write)]
    _warn(told)
    return int(bool(told) and not write)


def _open(registry: Registry, results: Results, names: Sequence[str]) -> None:
    """Make reports, among them the page, and open that in the reader's browser."""
    import webbrowser

    for page in _report(registry, results, names):
        if page.suffix == ".html" and not webbrowser.open(page.as_uri()):
            _warn([f"no browser was found; open {page}"])


@cli.command()
@click.argument("name", required=False, metavar="[NAME]", shell_complete=_completing("plugins"))
@_FORMAT
def plugins(name: str | None, form: str) -> int:
    """List the installed plugins and what did not load (then the exit code is 1); with a NAME, its options."""
    from benchspec.kinds import details, listing
    from benchspec.kinds.registry import Registry

    registry = Registry.load()
    chosen = details.named(registry, name) if name else registry.entries()
    if form == "json":
        _print(json_text(details.as_values(registry, chosen)))
    else:
        width = _width()
        _print(details.as_text(registry, chosen, width) if name else listing.as_table(registry, width))
    return int(bool(registry.broken) and not name)


@cli.command()
@click.argument("name", type=click.Choice(["spec", "result", "event"]), default="spec", required=False)
def schema(name: str) -> None:
    """Print a JSON schema; the one for specs includes the options of every installed plugin."""
    from benchspec.kinds.registry import Registry
    from benchspec.spec.editors import for_editors
    from benchspec.terms import schemas

    found = for_editors(Registry.load()) if name == "spec" else schemas.load(name)
    _print(json_text(found, indent=2))


@cli.command()
@_FORMAT
def machine(form: str) -> None:
    """Show this machine's hardware and libraries, and what is missing to run."""
    from benchspec.machine import describe, missing, text

    facts = describe.describe()
    absent = missing.missing(facts)
    _print(json_text({**facts, "missing": absent}) if form == "json" else text.report(facts, absent))


def _width() -> int:
    """The terminal's width in characters; where the output goes elsewhere, lines stay whole for other programs."""
    return shutil.get_terminal_size(fallback=(UNLIMITED, 24)).columns


def _kept(folder: str, cases: Sequence[Case], again: str) -> str:
    """The message after an interruption: how many of the cases have a result, and how to resume."""
    from benchspec.results.results import Results

    try:
        results = Results.load(folder)
    except BenchspecError:
        return "interrupted before the first case"
    found = {(result.experiment, result.case) for result in results}
    done = sum((case.experiment, case.id) in found for case in cases)
    return f"interrupted: {done} of {len(cases)} cases have a result in {folder}; run the same command {again}to resume"


def _checked(path: str, sets: Sequence[str]) -> tuple[Spec, Expansion, Needed]:
    """A spec, its cases and what they need; prints warnings, and raises `SpecError` with all mistakes in them."""
    from benchspec.cases.check import check, warnings
    from benchspec.cases.needs import needed

    spec, expansion, problems = check(path, sets)
    if spec is None or problems:
        raise SpecError(problems)
    needs = needed(spec, expansion)
    _warn(warnings(spec, expansion, needs))
    return spec, expansion, needs


def _problems(path: str, registry: Registry) -> tuple[int, list[Problem]]:
    """The number of cases of a spec, and its mistakes, or its warnings if there are no mistakes."""
    from benchspec.cases.check import check, missing, warnings
    from benchspec.cases.needs import needed

    spec, expansion, problems = check(path, (), registry)
    if spec and not problems:
        problems = distinct([*warnings(spec, expansion, needed(spec, expansion)), *missing(expansion)])
    return len(expansion.cases), problems


def _print_checked(checked: Sequence[tuple[str, int, list[Problem]]]) -> None:
    for path, cases, problems in checked:
        _warn(problems)
        if not any(problem.severity == "error" for problem in problems):
            _print(f"{one_line(path)}: ok, {cases} case{'' if cases == 1 else 's'}")


def _as_json(problem: Problem) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(problem)


def _check_reporters(registry: Registry, reporters: Iterable[str | Mapping[str, Any]]) -> None:
    from benchspec.reports import render

    render.check(registry, reporters)


def _report(registry: Registry, results: Results, names: Sequence[str]) -> list[Path]:
    """Print the reports in `names`; without any, print and save those that the spec names. Returns what was written."""
    from benchspec.reports import render as reports

    written: reports.Written = {}
    try:
        for text in reports.printed(registry, results, names, written=written):
            _print(text.rstrip("\n"))
    finally:
        if written:
            _warn([f"reports in {results.folder}: {_listed(results.folder, written)}"])
    return list(written)


def _listed(folder: Path, files: Iterable[Path]) -> str:
    """Files by name; those in a folder as its name and their number."""
    parts = [file.relative_to(folder.resolve()).parts for file in files]
    top = [name for name, *rest in parts if not rest]
    folders = Counter(name for name, *rest in parts if rest)
    return ", ".join([*top, *(f"{name}/ ({count} file{'' if count == 1 else 's'})" for name, count in folders.items())])


def _exit_code(results: Results) -> int:
    """0 if every outcome is as expected, 1 otherwise, 2 if the user has a mistake to correct."""
    _warn(f"error: {mistake}" for mistake in results.mistakes)
    missing, judged = results.missing(), len(results.judged)
    if missing or not judged:
        named = f": {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}" if missing else ""
        run = f"`benchspec run SPEC --out {results.folder}` runs what is missing"
        _warn([f"error: {len(missing)} of {judged} cases have no result in {results.folder}{named}; {run}"])
    return 2 if results.mistakes else int(not results.as_expected())
