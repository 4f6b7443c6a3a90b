"""The run directory as a whole: for one run at a time, of one spec, and never deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case
from benchspec.results.result import Result
from benchspec.spec.spec import Spec
from benchspec.terms.errors import RunError
from benchspec.terms.layout import JOURNAL, LOCK, RUN


def move_aside(folder: Path) -> Path:
    """Rename an earlier run directory after the time when it last changed; nothing is deleted."""
    runs = (RUN, JOURNAL)
    if not any((folder / name).exists() for name in runs) and any(path.name != LOCK for path in folder.iterdir()):
        raise RunError(f"{folder} is no run directory, so --fresh leaves it alone; choose another --out")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(folder.stat().st_mtime))
    home = folder.absolute()
    names = [home.with_name(f"{home.name}.{stamp}{suffix}") for suffix in ("", *(f".{n}" for n in range(1, 1000)))]
    target = next(name for name in names if not name.exists())
    folder.rename(target)
    return target


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The run directory for this process alone."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunError(f"another benchspec run is using {folder}; wait for it, or choose another --out") from None


@contextmanager
def said_in_a_line(folder: Path) -> Iterator[None]:
    """A disk that is full, or a folder that may not be written, as the `RunError` that it is to the user."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def check_other_spec(
    folder: Path, earlier: Mapping[str, Any] | None, journal: Sequence[Result], spec: Spec, cases: Sequence[Case]
) -> None:
    """Raise if the run directory holds the results of another spec, which would be lost from every report.

    `earlier` is what its run.json holds; None where there is none.
    """
    if earlier is None:
        return
    name = earlier.get("name", folder.name)
    ways_out = "--fresh moves them aside, --out DIR puts the new ones elsewhere"
    if name != spec.name:
        raise RunError(f"{folder} holds the results of another spec, '{name}'; {ways_out}")
    done = {(result.experiment, result.case) for result in journal}
    if done and not done & {(case.experiment, case.id) for case in cases}:
        raise RunError(f"{folder} holds the results of another version of '{name}', with no case in common; {ways_out}")
