"""The options and arguments that several commands share."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from typing import Any

import click


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
FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
SPEC = click.argument("spec", metavar="SPEC", shell_complete=completing("spec_files"))
