"""A plugin's options, completed from plain values: defaults, presets, units, nested plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec.kinds.registry import Registry, nested_kinds
from benchspec.terms.units import DURATIONS, SIZES, quantity

#: formats of an option that may be written with a unit, and the units of each
UNITS = {"seconds": DURATIONS, "size": SIZES}


def completed(registry: Registry, kind: str, value: str | Mapping[str, Any]) -> dict[str, Any]:
    """A plugin, given by name or as a mapping, as `{name, option…}` with every option.

    An option that is not given has its preset's value or its default; a quantity with a unit becomes a number; a
    nested plugin is completed too. Raises `PluginError` where there is no plugin of that name.
    """
    given = {"name": value} if isinstance(value, str) else value
    entry = registry.find(kind, given["name"])
    schema = entry.cls.options_schema
    fragments, nested = schema.get("properties", {}), nested_kinds(schema)
    defaults = {key: fragment["default"] for key, fragment in fragments.items() if "default" in fragment}
    return {
        key: completed(registry, nested[key], option) if key in nested and option else _number(fragments, key, option)
        for key, option in {**defaults, **entry.preset, **given}.items()
    }


def _number(fragments: Mapping[str, Any], key: str, option: Any) -> Any:
    units = UNITS.get(fragments.get(key, {}).get("format", ""))
    return quantity(option, units) if units and isinstance(option, str) else option
