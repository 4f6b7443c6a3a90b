"""Dotted paths such as `dataset.rows`: look-up, and matching a `where` against a case's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec.terms.units import plain

#: before the name of a plugin of benchspec's own, where another distribution has that name too
OWN = "benchspec:"


def matches(where: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a case's fields have the value that `where` gives for each dotted path."""
    return all(agrees(lookup(fields, path), wanted) for path, wanted in where.items())


def lookup(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = fields
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def agrees(found: Any, wanted: Any) -> bool:
    """Whether two values are equal; a plugin also equals its name, and a mapping equals any subset of itself.

    `true` is not 1, although Python says so; `1 min` is 60. Two texts are equal as they are written: what a text means
    depends on its field.
    """
    if isinstance(found, Mapping) and isinstance(wanted, str):
        return agrees(found.get("name"), wanted)
    if isinstance(found, str) and isinstance(wanted, Mapping):
        return agrees({"name": found}, wanted)
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(agrees(found.get(key), value) for key, value in wanted.items())
    if isinstance(found, str) and isinstance(wanted, str):
        return found.removeprefix(OWN) == wanted.removeprefix(OWN)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(agrees, found, wanted))
    return bool(plain(found) == plain(wanted)) and isinstance(found, bool) == isinstance(wanted, bool)
