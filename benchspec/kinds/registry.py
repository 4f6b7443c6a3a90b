"""The installed plugins, by kind and name.

A plugin that is broken or installed twice affects only the specs that name it. The reason is kept for
`benchspec plugins` and for the error messages of those specs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from benchspec.kinds import discovery, options
from benchspec.kinds.bases import KINDS, Plugin
from benchspec.kinds.discovery import Broken, Entry
from benchspec.terms.errors import PluginError, suggest


class Registry:
    """The installed plugins, by kind and name."""

    def __init__(self, entries: Iterable[Entry], broken: Iterable[Broken] = ()):
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            self._entries.setdefault((entry.kind, entry.name), []).append(entry)
        self.broken = [*broken, *map(_conflict, self._conflicts())]

    @classmethod
    def load(cls, points: Iterable[EntryPoint] | None = None) -> Registry:
        """Import every module that an entry point of the group `benchspec` names."""
        return cls(*discovery.discover(points))

    def names(self, kind: str) -> list[str]:
        """Every usable name of a kind, sorted."""
        return [entry.name for entry in self.entries(kind)]

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every usable entry, of one kind or of all, sorted by kind and name."""
        alone = [found[0] for found in self._entries.values() if len(found) == 1]
        order = list(KINDS)
        return sorted(
            (entry for entry in alone if kind in (None, entry.kind)), key=lambda e: (order.index(e.kind), e.name)
        )

    def find(self, kind: str, name: str) -> Entry:
        """The entry with a name; raises `PluginError` if there is none, or more than one."""
        found = self._entries.get((kind, name), [])
        if len(found) == 1:
            return found[0]
        raise PluginError(str(_conflict(found)) if found else self.unknown(kind, name))

    def unknown(self, kind: str, name: str) -> str:
        """The message for a name that cannot be used."""
        if found := self._entries.get((kind, name)):
            return _conflict(found).reason
        names = self.names(kind)
        name = name if len(name) <= 80 else f"{name[:77]}…"
        broken = ", ".join(str(each.origin) for each in self.broken)
        hint = f"; not loaded (`benchspec plugins` shows why): {broken}" if broken else ""
        return f"no {kind} is called '{name}' (installed: {', '.join(names)}){suggest(name, names)}{hint}"

    def create(self, kind: str, value: Mapping[str, Any]) -> Plugin:
        """The instance for a completed value `{name, option…}`; nested plugins are created first."""

        def instance(entry: Entry, name: str, given: dict[str, Any]) -> Plugin:
            return entry.cls(given)

        created: Plugin = options.mapped(self, kind, value, instance)
        return created

    def _conflicts(self) -> list[list[Entry]]:
        return [found for found in self._entries.values() if len(found) > 1]


def _conflict(found: list[Entry]) -> Broken:
    first = found[0]
    origins = " and ".join(sorted({str(entry.origin) for entry in found}))
    return Broken(first.origin, f"the {first.kind} '{first.name}' is installed more than once, by {origins}")
