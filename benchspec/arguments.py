"""The options and arguments that several commands share."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from typing import Any

import click

from benchspec.terms.harmless import clipped
from benchspec.terms.metrics import METRICS
from benchspec.terms.units import SHARES, quantity


def completing(what: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """A function of `benchspec.completion`, for a shell that completes a word; after an error it offers nothing."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[Any]:
        with suppress(Exception), redirect_stderr(io.StringIO()):
            from benchspec import completion

            return list(getattr(completion, what)(context, begun))
        return []

    return complete


def only(verb: str) -> Callable[[Any], Any]:
    """`--only`; `verb` says what is done with the cases."""
    return click.option(
        "--only",
        multiple=True,
        metavar="PATTERN",
        help=f"{verb} the cases whose EXPERIMENT/ID contains PATTERN, or matches it as a glob.",
        shell_complete=completing("experiments"),
    )


def out(use: str, offered: str) -> Callable[[Any], Any]:
    """`--out`; `use` says what for, and `offered` is what a shell completes it to."""
    help = f"The run directory{use}.  [default: runs/NAME]"
    return click.option("--out", metavar="DIR", help=help, shell_complete=completing(offered))


def folder(name: str, help: str) -> Callable[[Any], Any]:
    """An option that takes a folder."""
    return click.option(name, metavar="DIR", help=help, shell_complete=completing("folders"))


def run_dir(name: str, shown: str | None = None) -> Callable[[Any], Any]:
    """A run directory; `shown` is what the help calls it."""
    return click.argument(name, metavar=shown or name.upper(), shell_complete=completing("runs"))


def _share(context: click.Context, parameter: click.Parameter, text: str) -> float:
    """`2%` or `0.02` as a number."""
    try:
        share = float(text) if _NUMBER.fullmatch(text.strip()) else quantity(text, SHARES)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not 0 < share < 1:
        raise click.BadParameter(f"'{clipped(text)}' is not between 0 and 100%")
    return share


_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")

METRIC = click.option(
    "--metric",
    metavar="ID",
    type=click.Choice([each.id for each in METRICS.values() if each.direction]),
    default="rows_per_second",
    show_default=True,
    help="What is compared, one of docs/metrics.md that has a better side.",
)
THRESHOLD = click.option(
    "--threshold",
    metavar="SHARE",
    default="2%",
    show_default=True,
    callback=_share,
    help="The change up to which a case is the same.",
)


def strict(help: str) -> Callable[[Any], Any]:
    """`--strict`; `help` says what it makes a failure too."""
    return click.option("--strict", is_flag=True, help=f"Exit with 1 too {help}.")


def repeats(help: str, default: int | None = None) -> Callable[[Any], Any]:
    """`--repeats`; `help` says what is repeated."""
    number = click.IntRange(1, 1000)
    return click.option("--repeats", type=number, metavar="N", default=default, show_default=bool(default), help=help)


def printed(*forms: str, help: str = "What is printed: for people, or for programs.") -> Callable[[Any], Any]:
    """`--format`; the first of the forms is the default."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help)


FORMAT = printed("table", "json")
#: how a comparison is printed
COMPARISON = printed(
    *("table", "markdown", "json", "junit"),
    help="What is printed: for a terminal, for a pull request, or for programs.",
)
SET = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="PATH=VALUE",
    help="Set a value of the spec, e.g. defaults.train.max_steps=20.",
)
REPORTER = click.option(
    "--reporter",
    "--format",
    "reporters",
    multiple=True,
    metavar="NAME",
    help="Print this report, such as json, instead of those that the spec names.",
    shell_complete=completing("reporters"),
)
SPEC = click.argument("spec", metavar="SPEC", shell_complete=completing("spec_files"))
