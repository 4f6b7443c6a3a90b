"""The cases of scripts of one's own: no matrix says which of their settings tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from benchspec.results.result import Result


def told_apart(results: Iterable[Result], run: Mapping[str, Any]) -> list[Result]:
    """The results with each setting as an axis in which they differ; those of a spec as they are."""
    results = list(results)
    settings = [run.get("settings", {}).get(result.full_name, {}) for result in results]
    # An earlier version has written none.
    known = [found for found in settings if found]
    paths = dict.fromkeys(path for found in known for path in found)
    telling = [path for path in paths if any(found.get(path) != known[0].get(path) for found in known)]
    return [
        replace(result, axes={**result.axes, **{path: found.get(path) for path in telling}})
        for result, found in zip(results, settings, strict=True)
    ]
