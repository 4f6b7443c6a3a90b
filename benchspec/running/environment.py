"""Another Python environment that has benchspec installed, driven by its command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from benchspec.terms import strict
from benchspec.terms.errors import RunError

#: -P: what lies in the working directory is not imported in place of what is installed
_MAIN = ("-P", "-c", "from benchspec.cli import main; main()")


#: what Python says where it is not installed
_NO_BENCHSPEC = "No module named 'benchspec'"
#: lines of what an environment says that are passed on, the last ones
MOST_LINES = 5


@dataclass(frozen=True)
class Environment:
    """A Python interpreter whose benchspec runs a spec, and the run directory that it runs in."""

    #: `base` or `head`
    name: str
    python: str
    folder: Path

    @classmethod
    def of(cls, name: str, python: str, folder: Path) -> Environment:
        """The environment of an interpreter, given by its path or its name; raises `RunError` if there is none."""
        # As a text: a Path would drop the ./ of what lies in the working directory.
        found = shutil.which(os.path.expanduser(python))  # noqa: PTH111
        if found is None:
            raise RunError(f"--{name} {python}: no such interpreter; give the path of one, such as .venv/bin/python")
        # Links are not followed: the one in a virtual environment leads to an interpreter outside of it.
        return cls(name, os.path.abspath(found), folder)  # noqa: PTH100

    def plan(self, spec: str, arguments: Sequence[str]) -> list[dict[str, Any]]:
        """The cases of a spec as this environment plans them; raises `RunError` with what it says if it cannot."""
        done = subprocess.run(
            self._command("plan", spec, "--format", "json", *arguments),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if _NO_BENCHSPEC in done.stderr:
            raise RunError(f"{self.name} ({self.python}) has no benchspec; install it there, with that Python's pip")
        if done.returncode:
            lines = done.stderr.strip().splitlines()[-MOST_LINES:] or ["it ended without a message"]
            said = "; ".join(line.removeprefix("error: ") for line in lines)
            raise RunError(f"{self.name} ({self.python}) cannot plan {spec}: {said}")
        if not _are_cases(found := _parsed(done.stdout)):
            raise RunError(f"{self.name} ({self.python}) cannot plan {spec}: it printed something else than cases")
        return found

    def run(self, spec: str, arguments: Sequence[str]) -> None:
        """Run a spec in this environment's run directory; its progress goes to stderr."""
        self._called("run", spec, "--out", str(self.folder), *arguments)

    def report(self) -> None:
        """Write the reports that the spec names into the run directory."""
        self._called("report", str(self.folder))

    def _called(self, *arguments: str) -> None:
        """Call a command that prints a report, which is not shown; a case that failed is no error.

        Raises `RunError` if the command fails, and `KeyboardInterrupt` if it was interrupted.
        """
        command = self._command(*arguments)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                code = process.wait()
            except BaseException:
                # It ends its process groups and writes down what has ended.
                process.terminate()
                process.wait()
                raise
        if code == 130 or code < 0:
            raise KeyboardInterrupt
        if code not in (0, 1):
            raise RunError(f"{self.name} ({self.python}): benchspec {arguments[0]} ended with exit code {code}")

    def _command(self, *arguments: str) -> list[str]:
        return [self.python, *_MAIN, *arguments]


def _parsed(text: str) -> Any:
    try:
        return strict.parse(text.encode())
    except ValueError:
        return None


def _are_cases(found: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether what `plan` printed is a list of cases that can be paired and selected."""
    return isinstance(found, list) and all(
        isinstance(case, dict)
        and isinstance(case.get("axes"), dict)
        and all(isinstance(case.get(key), str) and case[key] for key in ("experiment", "id"))
        for case in found
    )


def shared_path() -> str | None:
    """A warning if the environments cannot be told apart because PYTHONPATH comes before what each has installed."""
    if not os.environ.get("PYTHONPATH"):
        return None
    return "warning: PYTHONPATH is set and comes first in both environments: what it holds is the same in both"
