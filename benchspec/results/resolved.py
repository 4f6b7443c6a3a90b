"""The resolved case of an attempt, as its case.json holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchspec.terms import strict
from benchspec.terms.layout import CASE

#: the keys of a case.json that are no settings of what is measured
NOT_SETTINGS = ("id", "experiment", "axes", "expected", "said", "limits", "repeats", "launch", "invocation")


def read(attempt: Path) -> Mapping[str, Any] | None:
    """What case.json in an attempt's folder holds; None if it is gone or cannot be used."""
    file = attempt / CASE
    if not file.is_file():
        # A named pipe would be waited for.
        return None
    try:
        found = strict.parse(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, Mapping) and isinstance(found.get("said"), Mapping) else None


def settings(case: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every setting of a case."""
    for key, value in case.items():
        if key not in NOT_SETTINGS:
            yield from _flat(key, value)


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}", inner)
    else:
        yield path, value
