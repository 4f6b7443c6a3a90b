"""The command line: one short function a command, and the only place where errors become text and exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from benchspec import arguments, output
from benchspec.arguments import FORMAT, REPORTER, SET, SPEC, completing
from benchspec.terms.errors import BenchspecError, HungUp, SpecError, distinct
from benchspec.terms.harmless import json_text

if TYPE_CHECKING:
    from benchspec.results.comparing.comparison import Comparison
    from benchspec.results.results import Results

INTERRUPTED = 130
#: by the verdict of a comparison; 0 for any other
_EXIT_CODES = {"worse": 1, "not comparable": 4}
#: what `--strict` takes for a failure: of published values, and of a comparison
_OF_VALUES = "where a published value is worse, or differs"
_OF_CASES = "where a case is undecided, because there are too few launches to say"
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
    raise HungUp if signum == signal.SIGHUP else KeyboardInterrupt


def _pass_over(signum: int, frame: Any) -> None:
    pass


def _help(error: click.ClickException) -> str:
    """Where to read how the command that was called, or any, is called."""
    context = getattr(error, "ctx", None)
    if context is None or context.parent is None:
        return "`benchspec --help` lists the commands"
    return f"`benchspec {context.info_name} --help` shows its options"


def _fail(lines: Iterable[str], code: int) -> NoReturn:
    output.warn(lines)
    if code == INTERRUPTED:
        # While Python ends, its handlers are gone: one more signal would kill the process.
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="benchspec")
def cli() -> None:
    """Benchmark the fine-tuning of language models, as described in a YAML spec."""


@cli.command()
@SPEC
@arguments.out("", offered="folders")
@arguments.only("Run")
@SET
@click.option("--fresh", is_flag=True, help="Move an existing run directory aside and start from the beginning.")
@click.option(
    "--rerun",
    type=click.Choice(["changed"]),
    metavar="changed",
    help="Measure again what depends on data, processes, a machine, versions or commits that have changed since.",
)
@arguments.repeats("Launch each case N times, in place of what the spec says.")
@click.option(
    "--profile",
    is_flag=True,
    help="Afterwards, run a few more steps of each case under torch's profiler; traces are kept beside its attempts.",
)
@REPORTER
@arguments.strict(_OF_VALUES)
def run(
    spec: str,
    out: str | None,
    only: Sequence[str],
    sets: Sequence[str],
    fresh: bool,
    rerun: Literal["changed"] | None,
    repeats: int | None,
    profile: bool,
    reporters: Sequence[str],
    strict: bool,
) -> int:
    """Run the cases that have no result yet, then report."""
    from benchspec import run as running
    from benchspec.cases.check import checked
    from benchspec.reports import render
    from benchspec.running import progress, view
    from benchspec.running.agenda import selected
    from benchspec.terms.layout import default_run_dir

    loaded, expansion, _, remarks = checked(spec, sets)
    output.warn(remarks)
    render.check(loaded.registry, reporters or loaded.report)
    try:
        shown = progress.for_stream(sys.stderr)
        results = running(
            loaded,
            out,
            only=only,
            fresh=fresh,
            rerun=rerun,
            repeats=repeats,
            profile=profile,
            progress=shown,
            expansion=expansion,
        )
    except KeyboardInterrupt:
        # A terminal shows ^C without a newline after it.
        click.echo(nl=sys.stderr.isatty(), err=True)
        cases = selected(expansion.cases, only)
        _fail([view.interrupted(out or str(default_run_dir(loaded.name)), cases, fresh)], INTERRUPTED)
    output.show_reports(loaded.registry, results, reporters)
    return _exit_code(results, strict)


@cli.command(short_help="Check specs.")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=completing("spec_files"))
@arguments.printed("text", "json")
def validate(specs: Sequence[str], form: str) -> int:
    """Check specs and report everything that is wrong with them."""
    from benchspec.cases.check import validated
    from benchspec.kinds.registry import Registry

    registry = Registry.load()
    found = [validated(path, registry) for path in specs]
    problems = [problem for each in found for problem in each.problems]
    if form == "json":
        output.show(json_text([asdict(problem) for problem in problems]))
    else:
        output.show_validated(found)
    return 2 if any(problem.severity == "error" for problem in problems) else 0


@cli.command(short_help="Show the cases without running any.")
@SPEC
@arguments.only("Show")
@arguments.out(", to show which cases are done", offered="runs")
@SET
@FORMAT
def plan(spec: str, only: Sequence[str], out: str | None, sets: Sequence[str], form: str) -> None:
    """Show the cases, what each will need, and which are done already, without running any."""
    from pathlib import Path

    from benchspec.cases import costs, plans
    from benchspec.cases.check import checked, missing
    from benchspec.cases.statements import statements
    from benchspec.results.journal import read_journal
    from benchspec.running.agenda import selected, unfinished
    from benchspec.terms.layout import default_run_dir

    loaded, expansion, needed, remarks = checked(spec, sets)
    output.warn([*remarks, *missing(expansion)])
    folder = Path(out) if out else default_run_dir(loaded.name)
    cases, results = selected(expansion.cases, only), read_journal(folder)
    found = plans.planned(needed, cases, results, unfinished(cases, results))
    published = costs.published_seconds(statements(loaded.references, cases))
    if form == "json":
        output.show(plans.as_json(found, published))
    else:
        there = folder if folder.exists() else None
        output.show(plans.as_table(found, there, output.width(), published, loaded.facts))


@cli.command()
@arguments.run_dir("run_dir", "RUN")
@REPORTER
@click.option(
    "--experiment", metavar="NAME", help="Report on this experiment alone.", shell_complete=completing("measured")
)
@click.option("--open", "opening", is_flag=True, help="Make the page of the reporter html, and open it in a browser.")
@arguments.strict(_OF_VALUES)
def report(run_dir: str, reporters: Sequence[str], experiment: str | None, opening: bool, strict: bool) -> int:
    """Report on an existing run directory again."""
    from benchspec.kinds.registry import Registry
    from benchspec.reports import render
    from benchspec.results.results import Results

    registry = Registry.load()
    if opening and "html" not in reporters:
        reporters = [*reporters, "html"]
    render.check(registry, reporters)
    output.complete(run_dir)
    results = Results.load(run_dir)
    if experiment is not None:
        results = results.of_experiment(experiment)
    if opening:
        output.open_page(registry, results, reporters)
    else:
        output.show_reports(registry, results, reporters)
    return _exit_code(results, strict)


@cli.command(short_help="Compare the cases of two run directories.")
@arguments.run_dir("base")
@arguments.run_dir("head")
@arguments.METRIC
@arguments.THRESHOLD
@click.option(
    "--across",
    multiple=True,
    type=click.Choice(["machine", "libraries"]),
    help="What may differ, because it is what is compared; otherwise such cases are not comparable.",
)
@arguments.COMPARISON
@arguments.strict(_OF_CASES)
def compare(base: str, head: str, metric: str, threshold: float, across: Sequence[str], form: str, strict: bool) -> int:
    """Compare the cases of two run directories: BASE before a change, HEAD after it.

    Each case of both is the same, better, worse, undecided (too few launches to say) or not comparable. Exit code 1 if
    any is worse, 4 if none is comparable.
    """
    from benchspec.reports import compared
    from benchspec.results.comparing.compare import compare as comparing
    from benchspec.results.results import Results

    for folder in (base, head):
        output.complete(folder)
    output.warn(["base and head are the same run directory"] if output.same(base, head) else [])
    found = comparing(Results.load(base), Results.load(head), metric=metric, threshold=threshold, across=across)
    output.show(compared.shown(found, form, output.width()))
    return _code_of(found, strict)


@cli.command(short_help="Run a spec in two environments and compare them.")
@SPEC
@click.option("--base", required=True, metavar="PYTHON", help="The interpreter of the environment before the change.")
@click.option("--head", required=True, metavar="PYTHON", help="The interpreter of the environment after it.")
@arguments.repeats("Launches of each case in each environment.", default=5)
@click.option("--out", metavar="DIR", help="Where the run directories base and head lie.  [default: runs/NAME-ab]")
@arguments.only("Run")
@SET
@arguments.METRIC
@arguments.THRESHOLD
@arguments.COMPARISON
@arguments.strict(_OF_CASES)
def ab(
    spec: str,
    base: str,
    head: str,
    repeats: int,
    out: str | None,
    only: Sequence[str],
    sets: Sequence[str],
    metric: str,
    threshold: float,
    form: str,
    strict: bool,
) -> int:
    """Run a spec under two Python environments in turns, then compare them, as `compare --across libraries` does.

    The run directories are DIR/base and DIR/head. What looks worse is launched as often again before it is called
    worse. Run the same command again to go on after an interruption.
    """
    from pathlib import Path

    from benchspec.reports import compared
    from benchspec.running import ab as running
    from benchspec.running.environment import Environment, shared_path
    from benchspec.spec.sources import name_of
    from benchspec.terms.layout import default_run_dir

    folder = Path(out) if out else default_run_dir(f"{name_of(spec)}-ab")
    pair = Environment.of("base", base, folder / "base"), Environment.of("head", head, folder / "head")
    settings = running.Settings(
        spec=spec,
        only=only,
        options=[f"--set={each}" for each in sets],
        repeats=repeats,
        metric=metric,
        threshold=threshold,
        note=lambda line: output.warn([line]),
    )
    output.warn(filter(None, [shared_path()]))
    found = running.ab(pair, settings)
    output.show(compared.shown(found, form, output.width()))
    return _code_of(found, strict)


@cli.command(short_help="Export results for another tool.")
@arguments.run_dir("run_dir", "RUN")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(["parquet", "mlflow", "wandb", "tensorboard"]),
    help="The tool; each needs the extra of its name.",
)
@arguments.folder("--out", "Where to write.  [default: RUN/export]")
def export(run_dir: str, target: str, out: str | None) -> None:
    """Export the results of a run directory for another tool. Exporting again replaces what was exported."""
    from pathlib import Path

    from benchspec.reports.exports.export import export as exporting
    from benchspec.results.results import Results

    output.complete(run_dir)
    output.warn(exporting(Results.load(run_dir), target, Path(out) if out else None))


@cli.command(short_help="Show a metric over many runs.")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", shell_complete=completing("runs"))
@arguments.METRIC
@click.option("--figure", metavar="FILE", help="Draw it too, into this file: .svg or .png.")
@FORMAT
def history(folders: Sequence[str], metric: str, figure: str | None, form: str) -> None:
    """Show a metric over many runs, oldest first, and where it changed.

    Each DIR is a run directory or a folder of run directories. Runs that cannot be compared, such as those of another
    machine, are series of their own. Changes are marked if ruptures is installed.
    """
    from benchspec.reports import over_time
    from benchspec.results.comparing.changes import can_mark_changes
    from benchspec.results.comparing.folders import loaded
    from benchspec.results.comparing.history import history as series_of

    if figure is not None:
        output.check_figure(figure)
    for folder in folders:
        output.complete(folder)
    series = series_of(loaded(folders, lambda line: output.warn([line])), metric)
    if not series:
        raise BenchspecError(f"no case of these runs has {metric}")
    output.show(over_time.as_json(series, metric) if form == "json" else over_time.as_table(series, metric))
    output.warn(filter(None, [over_time.remark(series, can_mark_changes())]))
    if figure is not None:
        charts = over_time.charted(series)
        output.save_figure(figure, over_time.drawn(charts, metric))
        if len(charts) < len(series):
            output.warn([f"it shows {len(charts)} of {len(series)} series, those with the most runs"])


@cli.command(short_help="Make the reports in Markdown files anew.")
@click.argument("files", nargs=-1, required=True, metavar="FILE.md...", shell_complete=completing("pages"))
@click.option("--write", is_flag=True, help="Bring the reports up to date.")
def verify(files: Sequence[str], write: bool) -> int:
    """Make the reports between benchspec's markers in Markdown files anew, and say what differs.

    Exit code 1 if anything does, and --write is not given.
    """
    from benchspec.reports import verify as reports

    differing = False
    for file in files:
        found = reports.verify(file, write=write)
        output.show_verified(file, found)
        differing |= bool(found)
    return int(differing and not write)


@cli.command(short_help="List the installed plugins.")
@click.argument("name", required=False, metavar="[NAME]", shell_complete=completing("plugins"))
@FORMAT
def plugins(name: str | None, form: str) -> int:
    """List the installed plugins and what did not load (then the exit code is 1); with a NAME, its options."""
    from benchspec.kinds import details, listing
    from benchspec.kinds.registry import Registry

    registry = Registry.load()
    chosen = details.named(registry, name) if name else registry.entries()
    if form == "json":
        output.show(json_text(details.as_values(registry, chosen)))
    else:
        width = output.width()
        output.show(details.as_text(registry, chosen, width) if name else listing.as_table(registry, width))
    return int(bool(registry.broken) and not name)


@cli.command(short_help="Print a JSON schema.")
@click.argument("name", type=click.Choice(["spec", "result", "event"]), default="spec", required=False)
def schema(name: str) -> None:
    """Print a JSON schema; the one for specs includes the options of every installed plugin."""
    from benchspec.kinds.registry import Registry
    from benchspec.spec.editors import for_editors
    from benchspec.terms import schemas

    found = for_editors(Registry.load()) if name == "spec" else schemas.load(name)
    output.show(json_text(found, indent=2))


@cli.command(short_help="Show this machine and what is missing to run.")
@click.option("--measure", is_flag=True, help="Measure what one device can do at most; takes a few seconds.")
@FORMAT
def machine(measure: bool, form: str) -> None:
    """Show this machine's hardware and libraries, and what is missing to run."""
    from benchspec.machine import ceilings, describe, missing, text

    facts = describe.describe()
    absent = missing.missing(facts)
    found = ceilings.of_this_machine() if measure else None
    if form == "json":
        output.show(json_text({**facts, "missing": absent, **({"measured": found} if found else {})}))
    else:
        output.show(text.report(facts, absent, found))


def _exit_code(results: Results, strict: bool) -> int:
    """0 if every outcome is as expected, 1 otherwise, 2 if the user has a mistake to correct.

    If `strict`, a published value that is worse or differs is not as expected either.
    """
    output.warn(f"error: {mistake}" for mistake in results.mistakes)
    missing, judged = results.missing(), len(results.judged)
    if missing or not judged:
        named = f": {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}" if missing else ""
        run = f"`benchspec run SPEC --out {results.folder}` runs what is missing"
        if "spec" not in results.run:
            run = "a training that still runs has none yet, and one that was killed at its start gets none"
        lacking = "have no result" if not results.run.get("repeats") else "lack results"
        output.warn([f"error: {len(missing)} of {judged} cases {lacking} in {results.folder}{named}; {run}"])
    short = strict and any(verdict["verdict"] in ("worse", "differs") for verdict in results.verdicts)
    return 2 if results.mistakes else int(short or not results.as_expected())


def _code_of(found: Comparison, strict: bool) -> int:
    """By the verdict of a comparison."""
    return 1 if strict and found.verdict == "undecided" else _EXIT_CODES.get(found.verdict, 0)
