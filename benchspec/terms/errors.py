"""Errors that a user can fix; each has the exit code that the command ends with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from benchspec.terms.harmless import escaped


class BenchspecError(Exception):
    """An error that the user or a plugin's author can fix; its message is one clear line."""

    exit_code = 2


class PluginError(BenchspecError):
    """A plugin that cannot be found or loaded, or that cannot work with its options."""


class RunError(BenchspecError):
    """A run that cannot start or continue: a directory in use, a full disk, a missing library."""


class NothingSelected(BenchspecError):  # noqa: N818 - reads as what happened
    """`--only` selects no case."""

    exit_code = 3


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a spec, at the place where it was written; line and column count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return escaped(f"{self.file}:{self.line}:{self.column}: {self.severity}: {where}{self.message}".strip())


def distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Each mistake once, in the order of the lines: the spec and each of its cases may report the same one."""
    places: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        places.setdefault((problem.file, problem.line, problem.column, problem.message), problem)
    return sorted(places.values())


#: mistakes that are shown of one spec; a wrong file can have a million
MAX_PROBLEMS = 100


def first(problems: Iterable[Problem]) -> list[Problem]:
    """The first mistakes of many, and a last one that says that there are more."""
    found = list(islice(problems, MAX_PROBLEMS + 1))
    if len(found) > MAX_PROBLEMS:
        found[-1] = replace(found[-1], path="", message=f"and more; only {MAX_PROBLEMS} mistakes are shown at a time")
    return found


class SpecError(BenchspecError):
    """An invalid spec; `problems` holds all mistakes that were found, ordered by file and line."""

    def __init__(self, problems: list[Problem]):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class HungUp(KeyboardInterrupt):
    """The terminal or the login shell has gone; what lasts without it goes on."""


def install(extra: str) -> str:
    """How to install the libraries of an extra. There is no release, and PyPI's benchspec is another project."""
    return f"in benchspec's checkout, run pip install -e '.[{extra}]'"


def suggest(wrong: str, allowed: list[str]) -> str:
    """`; did you mean 'x'?` if an allowed word is similar to the wrong one, else an empty string."""
    from difflib import get_close_matches

    close = get_close_matches(wrong[:100], allowed, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
