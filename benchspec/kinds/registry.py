"""The installed plugins, by kind and name.

A plugin that is broken affects only the specs that name it. The reason is kept for `benchspec plugins` and for the
error messages of those specs. Where two distributions have a plugin of the same name, a spec chooses one by
`DISTRIBUTION:NAME`; the name alone is a mistake in the specs that use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint
from itertools import chain
from typing import Any

from benchspec.kinds import discovery, options
from benchspec.kinds.bases import KINDS, Plugin
from benchspec.kinds.discovery import Broken, Entry
from benchspec.kinds.faults import defined_at
from benchspec.terms.errors import PluginError, suggest
from benchspec.terms.harmless import clipped
from benchspec.terms.where import OWN

#: advice where no plugin is spelt alike
HOW = "; a package names its plugin modules under the entry-point group 'benchspec'; install it again after a change"


class Registry:
    """The installed plugins, by kind and name."""

    def __init__(self, entries: Iterable[Entry], broken: Iterable[Broken] = ()):
        #: (kind, NAME or DISTRIBUTION:NAME) -> the entries of that name
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            for name in (entry.name, entry.full_name):
                self._entries.setdefault((entry.kind, name), []).append(entry)
        self.broken = [*broken, *(_twice(found) for found in self._inseparable())]

    @classmethod
    def load(cls, points: Iterable[EntryPoint] | None = None) -> Registry:
        """Import every module that an entry point of the group `benchspec` names."""
        return cls(*discovery.discover(points))

    def names(self, kind: str) -> list[str]:
        """The name of each usable plugin of a kind, as `name` gives it, sorted."""
        return [self.name(entry) for entry in self.entries(kind)]

    def name(self, entry: Entry) -> str:
        """The shortest name that means this entry: NAME, or DISTRIBUTION:NAME if another distribution has that name."""
        return entry.name if len(self._entries[entry.kind, entry.name]) == 1 else entry.full_name

    def spellings(self, entry: Entry) -> list[str]:
        """Every name that means this entry."""
        return list(dict.fromkeys([self.name(entry), entry.full_name]))

    def own(self, kind: str, name: str) -> str:
        """A plugin of benchspec's own, such as a default, even where another distribution has its name too."""
        return name if len(self._entries.get((kind, name), ())) <= 1 else f"{OWN}{name}"

    def has(self, kind: str, name: str) -> bool:
        """Whether a name means exactly one plugin."""
        return len(self._entries.get((kind, name), ())) == 1

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every usable entry, of one kind or of all, sorted by kind and name."""
        return [entry for entry in self._usable if kind in (None, entry.kind)]

    @cached_property
    def _usable(self) -> list[Entry]:
        usable = {id(entry): entry for entry in self._all() if self.has(entry.kind, entry.full_name)}
        order = list(KINDS)
        return sorted(usable.values(), key=lambda entry: (order.index(entry.kind), entry.name, entry.origin.project))

    @property
    def packages(self) -> set[str]:
        """The top-level modules of the plugins, by which `faults.explained` finds their lines in a traceback."""
        modules = {module for entry in self._all() for module in (entry.cls.__module__, entry.origin.module)}
        return {module.partition(":")[0].partition(".")[0] for module in modules}

    def find(self, kind: str, name: str) -> Entry:
        """The entry with a name; raises `PluginError` if there is none, or more than one."""
        if self.has(kind, name):
            return self._entries[kind, name][0]
        raise PluginError(self.unknown(kind, name))

    def unknown(self, kind: str, name: str) -> str:
        """The message for a name that cannot be used."""
        if found := self._entries.get((kind, name)):
            return _conflict(found)
        names = self.names(kind)
        # A wrong DISTRIBUTION:NAME is compared with names of the same form; a NAME may be one of several packages.
        alike = [entry.full_name if ":" in name else entry.name for entry in self.entries(kind)]
        name = clipped(name, 80)
        near, instead = suggest(name, list(dict.fromkeys(alike))), self._instead(kind, name)
        installed = f" (installed: {', '.join(names)})"
        if self.broken and not near:
            # The plugin is likely to be in a module that did not load.
            return f"no {kind} is called '{name}'{self.lost()}{installed}{instead}"
        return f"no {kind} is called '{name}'{installed}{near + instead or HOW}{self.lost()}"

    def lost(self) -> str:
        """What did not load and why, at the end of a message about a name that is not found; empty if all did."""
        reasons = "; ".join(map(str, self.broken))
        return f"; not loaded: {reasons}" if reasons else ""

    def _instead(self, kind: str, name: str) -> str:
        """How a spec can say what has no name: as plugins of the kind have it."""
        looks_like_path = "/" in name or name.startswith((".", "~")) or name.endswith((".json", ".jsonl"))
        found = dict.fromkeys(entry.cls.instead for entry in self.entries(kind))
        fit = [text.replace("NAME", name) for text in found if text and (looks_like_path or "NAME" not in text)]
        return f"; or write {' or '.join(fit)}" if fit else ""

    def create(self, kind: str, value: Mapping[str, Any]) -> Plugin:
        """The instance for a completed value `{name, option…}`; nested plugins are created first."""

        def instance(entry: Entry, name: str, given: dict[str, Any]) -> Plugin:
            made = entry.cls(given)
            if not hasattr(made, "options"):
                problem = f"{entry.cls.__name__}.__init__ leaves out `options`: call super().__init__(options) in it"
                raise PluginError(f"{problem}{defined_at(entry.cls)}")
            return made

        created: Plugin = options.mapped(self, kind, value, instance)
        return created

    def _all(self) -> Iterator[Entry]:
        return chain.from_iterable(self._entries.values())

    def _inseparable(self) -> list[list[Entry]]:
        """Entries of one kind, name and distribution: nothing that a spec can say means only one of them."""
        return [found for (_, name), found in self._entries.items() if ":" in name and len(found) > 1]


def _twice(found: list[Entry]) -> Broken:
    return Broken(found[0].origin, _conflict(found))


def _conflict(found: list[Entry]) -> str:
    first = found[0]
    origins = " and ".join(sorted({str(entry.origin) for entry in found}))
    names = sorted({entry.full_name for entry in found})
    choice = f"write {' or '.join(map(repr, names))}" if len(names) == len(found) else "rename or remove one of them"
    return f"the {first.kind} '{first.name}' is installed more than once, by {origins}; {choice}"
