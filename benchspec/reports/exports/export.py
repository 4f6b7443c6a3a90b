"""Which targets there are, and one of them called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, cast

from benchspec.reports.exports.records import Record, records
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError, RunError, install

#: a target's function: returns lines for the user
Export = Callable[[Results, Sequence[Record], Path], list[str]]


class Target(NamedTuple):
    """A tool that results can be exported to."""

    #: what must be installed, as modules
    modules: Sequence[str]
    #: the file beside this one
    module: str


TARGETS: Mapping[str, Target] = {
    "parquet": Target(["pyarrow"], "parquet"),
    "mlflow": Target(["mlflow", "sqlalchemy"], "mlflow"),
    "wandb": Target(["wandb"], "wandb"),
    "tensorboard": Target(["tensorboard"], "tensorboard"),
}


def export(results: Results, target: str, folder: Path | None = None) -> list[str]:
    """Export results to a target, into a folder (by default `export` in the run directory); returns what was done.

    Raises `RunError` if the target's library is not installed, or fails, and `BenchspecError` without any result.
    """
    absent = [name for name in TARGETS[target].modules if find_spec(name) is None]
    if absent:
        raise RunError(f"{', '.join(absent)} not installed: {install(target)}, then export again")
    if not results:
        raise BenchspecError(f"{results.folder} has no results; `benchspec run SPEC --out {results.folder}` makes some")
    folder = folder or results.folder / "export"
    folder.mkdir(parents=True, exist_ok=True)
    module = import_module(f"benchspec.reports.exports.{TARGETS[target].module}")
    try:
        return cast(Export, module.export)(results, records(results), folder)
    except (BenchspecError, OSError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise RunError(f"{target} failed: {type(error).__name__}: {said}") from error
