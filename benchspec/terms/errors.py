"""What can go wrong through no fault of benchspec: each error knows the exit code that it ends the command with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class BenchspecError(Exception):
    """A mistake that its maker can mend; its text is one clear line."""

    exit_code = 2


class PluginError(BenchspecError):
    """A plugin that cannot be found, cannot be loaded or was given what it cannot use."""


class RunError(BenchspecError):
    """A run that cannot start or go on: a directory in use, a full disk, a missing library."""


class NothingSelected(BenchspecError):  # noqa: N818 - reads as what happened
    """`--only` selects no case."""

    exit_code = 3


def one_line(text: str) -> str:
    """The text in one printable line: what a spec or a plugin says may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text.strip())


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
        return one_line(f"{self.file}:{self.line}:{self.column}: {self.severity}: {where}{self.message}")


def distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Each mistake once, in the order of the lines: the spec and every case that it reaches may have told of it."""
    places: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        places.setdefault((problem.file, problem.line, problem.column, problem.message), problem)
    return sorted(places.values())


class SpecError(BenchspecError):
    """A spec that cannot be used; `problems` holds every mistake that was found, in the order of the files' lines."""

    def __init__(self, problems: list[Problem]):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def suggest(wrong: str, allowed: list[str]) -> str:
    """`; did you mean 'x'?` where one of the allowed words is close to the wrong one, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(wrong, allowed, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
