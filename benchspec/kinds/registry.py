"""Entry points -> plugin classes, by kind and name.

A plugin that is broken, misspelt or there twice hurts only the spec that names it: it is kept with its reason, for
`benchspec plugins` and for the message to that spec's author.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import pluggy

from benchspec.kinds import hookspecs
from benchspec.kinds.bases import KINDS, Plugin
from benchspec.terms.errors import PluginError, suggest

GROUP = "benchspec"


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from."""

    distribution: str
    module: str

    def __str__(self) -> str:
        return f"{self.distribution} ({self.module})"


@dataclass(frozen=True)
class Entry:
    """A name that specs can use: a class, or a preset of one."""

    kind: str
    name: str
    cls: type[Plugin]
    #: the options that the name stands for; empty for the class itself
    preset: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True)
class Broken:
    """A plugin that cannot be used, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


class Registry:
    """What is installed, by kind and name."""

    def __init__(self, entries: Iterable[Entry], broken: Iterable[Broken] = ()):
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            self._entries.setdefault((entry.kind, entry.name), []).append(entry)
        self.broken = [*broken, *map(_conflict, self._conflicts())]

    @classmethod
    def load(cls, points: Iterable[EntryPoint] | None = None) -> Registry:
        """Import every module that an entry point of the group `benchspec` names."""
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        entries: list[Entry] = []
        broken: list[Broken] = []
        for point, origin in _distinct(entry_points(group=GROUP) if points is None else points):
            try:
                # What a module prints while it is imported would stand among a command's output.
                with redirect_stdout(sys.stderr):
                    entries += _classes(manager, point, origin)
            except (Exception, SystemExit) as error:
                broken.append(Broken(origin, _reason(error)))
        return cls(entries, broken)

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
        """The entry of a name; raises `PluginError` where there is none, or more than one."""
        found = self._entries.get((kind, name), [])
        if len(found) == 1:
            return found[0]
        raise PluginError(str(_conflict(found)) if found else self.unknown(kind, name))

    def unknown(self, kind: str, name: str) -> str:
        """What to say of a name that is not there."""
        if found := self._entries.get((kind, name)):
            return _conflict(found).reason
        names = self.names(kind)
        name = name if len(name) <= 80 else f"{name[:77]}…"
        lost = ", ".join(str(broken.origin) for broken in self.broken)
        hint = f"; not loaded (`benchspec plugins` says why): {lost}" if lost else ""
        return f"no {kind} is called '{name}' (installed: {', '.join(names)}){suggest(name, names)}{hint}"

    def create(self, kind: str, value: Mapping[str, Any]) -> Plugin:
        """The instance for a resolved value `{name, option…}`; nested plugins are made first."""
        cls = self.find(kind, value["name"]).cls
        options = {key: option for key, option in value.items() if key != "name"}
        for key, nested in nested_kinds(cls.options_schema).items():
            if options.get(key) is not None:
                options[key] = self.create(nested, options[key])
        return cls(options)

    def _conflicts(self) -> list[list[Entry]]:
        return [found for found in self._entries.values() if len(found) > 1]


def nested_kinds(options_schema: Mapping[str, Any]) -> dict[str, str]:
    """Which options are plugins themselves, and of which kind: `{"of": "dataset"}`."""
    properties = options_schema.get("properties", {})
    references = {key: fragment.get("$ref", "") for key, fragment in properties.items()}
    return {
        key: kind
        for key, reference in references.items()
        if reference.startswith("#/$defs/") and (kind := reference.removeprefix("#/$defs/")) in KINDS
    }


def _distinct(points: Iterable[EntryPoint]) -> list[tuple[EntryPoint, Origin]]:
    """Each module once a distribution, with where it is from: two names for one module add nothing."""
    # A distribution's name and version are read from its file anew at every look.
    names: dict[int, str] = {}
    found: dict[Origin, EntryPoint] = {}
    for point in points:
        name = names.get(id(point.dist)) or _distribution(point)
        names[id(point.dist)] = name
        found.setdefault(Origin(name, point.value), point)
    return [(point, origin) for origin, point in found.items()]


def _distribution(point: EntryPoint) -> str:
    if point.dist is None:
        return "an unknown distribution"
    metadata = point.dist.metadata
    return f"{metadata['Name']} {metadata['Version']}"


def _classes(manager: pluggy.PluginManager, point: EntryPoint, origin: Origin) -> list[Entry]:
    """Register the module under its path and read the classes that its hook returns."""
    module = point.load()
    # Two distributions may ship the same module; the second is refused by pluggy, with a reason for the list.
    manager.register(module, name=point.value)
    hooks = [hook for hook in manager.hook.benchspec_register.get_hookimpls() if hook.plugin is module]
    if not hooks:
        raise PluginError(f"no function called benchspec_register is marked with @hookimpl{_misspelt(module)}")
    classes = cast("Iterable[type[Plugin]]", hooks[0].function())
    return [entry for cls in classes for entry in _entries(cls, origin)]


def _misspelt(module: object) -> str:
    marked = [name for name, value in vars(module).items() if hasattr(value, "benchspec_impl")]
    return f" (marked: {', '.join(marked)}; did you mean 'benchspec_register'?)" if marked else ""


def _entries(cls: type[Plugin], origin: Origin) -> list[Entry]:
    _check(cls)
    own = Entry(cls.kind, cls.name, cls, {}, origin)
    return [own, *(Entry(cls.kind, name, cls, preset, origin) for name, preset in cls.presets.items())]


def _check(cls: Any) -> None:
    """Raise `PluginError` unless `cls` is a plugin class whose name, options and presets can be used."""
    if not isinstance(cls, type) or not issubclass(cls, Plugin) or not hasattr(cls, "kind"):
        raise PluginError(f"benchspec_register returned {cls!r}, which is no subclass of {', '.join(_bases())}")
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"the class {cls.__name__} has no name")
    if not all(isinstance(value, Mapping) for value in (cls.options_schema, cls.presets)):
        raise PluginError(f"options_schema and presets of {cls.__name__} must be mappings")
    _check_schema(cls)
    properties = cls.options_schema.get("properties", {})
    for name, preset in {cls.name: {}, **cls.presets}.items():
        if not _NAME.fullmatch(name):
            raise PluginError(f"'{name}' is no name: letters, digits, '.', '_', '+' and '-' are allowed")
        if unknown := sorted(set(preset) - set(properties)):
            raise PluginError(f"the preset '{name}' of {cls.__name__} sets unknown options: {', '.join(unknown)}")


def _check_schema(cls: type[Plugin]) -> None:
    """Raise `PluginError` for a slip that would otherwise end in a traceback when the options are checked."""
    where = f"options_schema of {cls.__name__}"
    try:
        json.dumps(
            [dict(cls.options_schema), {name: dict(preset) for name, preset in cls.presets.items()}], allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where}: it is not JSON ({error})") from None
    for key, fragment in cls.options_schema.get("properties", {}).items():
        if not isinstance(fragment, Mapping) or key == "name":
            raise PluginError(f"{where}: the property '{key}' is {'taken' if key == 'name' else 'no mapping'}")
        for problem in _fragment_problems(fragment):
            raise PluginError(f"{where}: '{key}' {problem}")


def _fragment_problems(fragment: Mapping[str, Any]) -> Iterator[str]:
    types = fragment.get("type", [])
    for found in [types] if isinstance(types, str) else types:
        if found not in _TYPES:
            yield f"has the unknown type '{found}'"
    reference = fragment.get("$ref")
    if reference is not None and str(reference).removeprefix("#/$defs/") not in KINDS:
        yield f"refers to '{reference}'; only #/$defs/KIND is there"
    try:
        re.compile(fragment.get("pattern", ""))
    except re.error as error:
        yield f"has a pattern that is none: {error}"
    for part in (*fragment.get("properties", {}).values(), fragment.get("items")):
        if isinstance(part, Mapping):
            yield from _fragment_problems(part)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


def _bases() -> list[str]:
    return [base.__name__ for base in KINDS.values()]


def _conflict(found: list[Entry]) -> Broken:
    first = found[0]
    origins = " and ".join(sorted({str(entry.origin) for entry in found}))
    return Broken(first.origin, f"the {first.kind} '{first.name}' is there more than once, from {origins}")


def _reason(error: BaseException) -> str:
    line = " ".join(str(error).split())
    return line if isinstance(error, PluginError) else f"{type(error).__name__}: {line}"
