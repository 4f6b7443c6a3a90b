"""Run directories, given one by one or by the folder that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import JOURNAL, RUN


def loaded(folders: Sequence[str], warn: Callable[[str], None]) -> list[Results]:
    """The results of run directories, each once; `warn` is told of those that cannot be read or have none.

    Raises `BenchspecError` for a folder that is no run directory and holds none, and if no result is left.
    """
    paths: dict[Path, Path] = {}
    for path in (path for folder in folders for path in _runs(Path(folder))):
        # A run directory may be named, and be in a folder that is named too.
        paths.setdefault(path.resolve(), path)
    found = [results for path in paths.values() if (results := _load(path, warn))]
    if not found:
        raise BenchspecError(f"{', '.join(folders)}: no run directory there has a result")
    return found


def _load(folder: Path, warn: Callable[[str], None]) -> Results | None:
    try:
        results = Results.load(folder)
    except BenchspecError as error:
        warn(f"warning: {error}; it is left out")
        return None
    if not results:
        warn(f"warning: {folder} has no results; it is left out")
        return None
    return results


def _runs(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise BenchspecError(f"{folder}: no such run directory")
    if _is_run(folder):
        yield folder
        return
    within = sorted(path for path in folder.iterdir() if path.is_dir() and _is_run(path))
    if not within:
        raise BenchspecError(f"{folder} is no run directory and holds none: it has neither {RUN} nor {JOURNAL}")
    yield from within


def _is_run(folder: Path) -> bool:
    return (folder / RUN).exists() or (folder / JOURNAL).exists()
