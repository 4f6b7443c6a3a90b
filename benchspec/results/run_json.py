"""run.json as reports read it: what was asked for, and the machine that it was measured on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchspec.terms import schemas, strict
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import JOURNAL, RUN
from benchspec.terms.metrics import METRICS


class BrokenRunFileError(BenchspecError):
    """A run.json that was cut off, or does not follow `run.schema.json`."""


def read_run(folder: Path) -> dict[str, Any]:
    """The content of a run directory's run.json; {} if it has results but no run.json.

    Raises `BenchspecError` if there is neither, and `BrokenRunFileError` if run.json cannot be used.
    """
    if not folder.is_dir():
        raise BenchspecError(f"{folder}: no such run directory")
    file = folder / RUN
    if not file.exists():
        if not (folder / JOURNAL).exists():
            raise BenchspecError(f"{folder} is not a run directory: it has neither {RUN} nor {JOURNAL}")
        return {}
    if not file.is_file():
        # A named pipe would be waited for.
        raise BenchspecError(f"{file}: error: it is not a file")
    try:
        run: dict[str, Any] = _checked(file.read_bytes())
    except ValueError as error:
        remedy = f"`benchspec run SPEC --out {folder}` writes it anew and keeps the results"
        raise BrokenRunFileError(f"{file}: error: {error}; {remedy}") from None
    return run


def _checked(text: bytes) -> Any:
    """The content; raises `ValueError`, which says what is wrong."""
    if not text.strip():
        raise ValueError("the file is empty")
    try:
        run = strict.parse(text)
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from None
    schema = schemas.load("run")
    schema["$defs"]["metric"]["enum"] = list(METRICS)
    if problem := schemas.violation(schemas.validator(schema), run):
        raise ValueError(problem)
    return run
