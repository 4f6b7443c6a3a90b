"""The run directory as a whole: locked by one run at a time, bound to one spec, and never deleted."""

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
    """Rename an earlier run directory, appending the time of its last change; nothing is deleted."""
    runs = (RUN, JOURNAL)
    if not any((folder / name).exists() for name in runs) and any(path.name != LOCK for path in folder.iterdir()):
        raise RunError(f"{folder} is not a run directory, so --fresh does not move it; choose another --out")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(folder.stat().st_mtime))
    home = folder.absolute()
    names = [home.with_name(f"{home.name}.{stamp}{suffix}") for suffix in ("", *(f".{n}" for n in range(1, 1000)))]
    target = next(name for name in names if not name.exists())
    folder.rename(target)
    return target


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run directory's lock; raises `RunError` if another process holds it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunError(f"another benchspec run is using {folder}; wait for it, or choose another --out") from None


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Turn an `OSError`, such as a full disk or a missing permission, into a `RunError`."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def check_other_spec(
    folder: Path, earlier: Mapping[str, Any] | None, journal: Sequence[Result], spec: Spec, cases: Sequence[Case]
) -> None:
    """Raise `RunError` if the run directory holds results of another spec, which reports would no longer show.

    `earlier` is the content of its run.json; None if there is none, or one that cannot be used.
    """
    name = (earlier or {}).get("name", spec.name)
    ways_out = "--fresh moves them aside, --out DIR puts the new ones elsewhere"
    if name != spec.name:
        raise RunError(f"{folder} holds the results of another spec, '{name}'; {ways_out}")
    done = {result.key for result in journal}
    if done and not done & {case.key for case in cases}:
        raise RunError(f"{folder} holds the results of another version of '{name}', with no case in common; {ways_out}")
