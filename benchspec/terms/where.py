"""Dotted paths into plain values: looking up, and agreeing with a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(where: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a case's resolved fields agree with every dotted path of `where`."""
    return all(agrees(lookup(fields, path), wanted) for path, wanted in where.items())


def lookup(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = fields
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def agrees(found: Any, wanted: Any) -> bool:
    """Equality, but that a plugin agrees with its name, and a mapping with a part of it."""
    if isinstance(found, Mapping) and isinstance(wanted, str):
        return bool(found.get("name") == wanted)
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(agrees(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)
