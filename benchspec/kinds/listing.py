"""The list of installed plugins, for `benchspec plugins`."""

from __future__ import annotations

from benchspec.kinds.discovery import Entry
from benchspec.kinds.registry import Registry
from benchspec.terms.harmless import json_text


def as_json(registry: Registry) -> str:
    plugins = [
        {
            "kind": entry.kind,
            "name": registry.name(entry),
            "class": entry.cls.__name__,
            "description": _summary(entry),
            "distribution": entry.origin.distribution,
            "module": entry.origin.module,
        }
        for entry in registry.entries()
    ]
    broken = [
        {"distribution": one.origin.distribution, "module": one.origin.module, "reason": one.reason}
        for one in registry.broken
    ]
    return json_text({"plugins": plugins, "broken": broken})


def as_table(registry: Registry) -> str:
    from tabulate import tabulate

    rows = [[entry.kind, registry.name(entry), _summary(entry), str(entry.origin)] for entry in registry.entries()]
    text = tabulate(rows, ["kind", "name", "description", "package"], tablefmt="simple", disable_numparse=True)
    lost = "".join(f"\n  {broken}" for broken in registry.broken)
    return f"{text}\n\nNot loaded:{lost}" if lost else text


def _summary(entry: Entry) -> str:
    """The first line of the class's docstring; for a preset, the name of its class."""
    if entry.preset:
        return f"{entry.cls.name} with its options set"
    return (entry.cls.__doc__ or "").strip().split("\n")[0]
