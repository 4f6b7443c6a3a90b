"""Entry points -> plugin classes whose name, options and presets can be used."""

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
from benchspec.terms.errors import PluginError

#: the group of entry points that plugin packages register in
GROUP = "benchspec"


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from."""

    #: its name and version
    distribution: str
    module: str

    @property
    def project(self) -> str:
        """The distribution's name as package indexes write it (PEP 503)."""
        return re.sub(r"[-_.]+", "-", self.distribution.rsplit(" ", 1)[0]).lower()

    def __str__(self) -> str:
        return f"{self.distribution} ({self.module})"


@dataclass(frozen=True)
class Entry:
    """A name that specs can use: a class, or a preset of one."""

    kind: str
    name: str
    cls: type[Plugin]
    #: the options that the name sets; empty for the class itself
    preset: Mapping[str, Any]
    origin: Origin

    @property
    def full_name(self) -> str:
        """`DISTRIBUTION:NAME`, which a spec can use instead of the name."""
        return f"{self.origin.project}:{self.name}"


@dataclass(frozen=True)
class Broken:
    """A plugin that cannot be used, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


def discover(points: Iterable[EntryPoint] | None = None) -> tuple[list[Entry], list[Broken]]:
    """The entries that the modules of all entry points register, and the modules that cannot be used."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    entries: list[Entry] = []
    broken: list[Broken] = []
    for point, origin in _distinct(entry_points(group=GROUP) if points is None else points):
        try:
            # A module that prints while it is imported must not add to a command's stdout.
            with redirect_stdout(sys.stderr):
                entries += _classes(manager, point, origin)
        except (Exception, SystemExit) as error:
            broken.append(Broken(origin, _reason(error)))
    return entries, broken


def _distinct(points: Iterable[EntryPoint]) -> list[tuple[EntryPoint, Origin]]:
    """The entry points with their origins, each module of a distribution once, even under two names."""
    # Each access to a distribution's metadata reads its file again.
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
    # If two distributions ship the same module, pluggy rejects the second, and the listing shows its reason.
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
        raise PluginError(f"benchspec_register returned {cls!r}, which is not a subclass of {', '.join(_bases())}")
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"the class {cls.__name__} has no name")
    if not all(isinstance(value, Mapping) for value in (cls.options_schema, cls.presets)):
        raise PluginError(f"options_schema and presets of {cls.__name__} must be mappings")
    _check_schema(cls)
    properties = cls.options_schema.get("properties", {})
    for name, preset in {cls.name: {}, **cls.presets}.items():
        if not _NAME.fullmatch(name):
            raise PluginError(f"'{name}' is not a valid name: letters, digits, '.', '_', '+' and '-' are allowed")
        if unknown := sorted(set(preset) - set(properties)):
            raise PluginError(f"the preset '{name}' of {cls.__name__} sets unknown options: {', '.join(unknown)}")


def _check_schema(cls: type[Plugin]) -> None:
    """Raise `PluginError` for a mistake that would otherwise be a traceback when a spec is checked."""
    where = f"options_schema of {cls.__name__}"
    try:
        json.dumps(
            [dict(cls.options_schema), {name: dict(preset) for name, preset in cls.presets.items()}], allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where} is not JSON: {error}") from None
    for key, fragment in cls.options_schema.get("properties", {}).items():
        if not isinstance(fragment, Mapping) or key == "name":
            raise PluginError(
                f"{where}: the property '{key}' {'is reserved' if key == 'name' else 'must be a mapping'}"
            )
        for problem in (*_reference_problems(fragment), *_fragment_problems(fragment)):
            raise PluginError(f"{where}: '{key}' {problem}")


def _fragment_problems(fragment: Mapping[str, Any]) -> Iterator[str]:
    types = fragment.get("type", [])
    for found in [types] if isinstance(types, str) else types:
        if found not in _TYPES:
            yield f"has the unknown type '{found}'"
    try:
        re.compile(fragment.get("pattern", ""))
    except re.error as error:
        yield f"has a pattern that is not a regular expression: {error}"
    for part in _parts(fragment):
        yield from _fragment_problems(part)


def _reference_problems(fragment: Mapping[str, Any]) -> Iterator[str]:
    """Mistakes in an option's `$ref`s, which make the option a plugin."""
    reference = fragment.get("$ref")
    if reference is not None and str(reference).removeprefix("#/$defs/") not in KINDS:
        yield f"refers to '{reference}'; only #/$defs/KIND can be referred to (KIND: {', '.join(KINDS)})"
    if any("$ref" in part for part in _all_parts(fragment)):
        yield "refers to a plugin inside a list or a mapping; only an option itself can be a plugin"


def _parts(fragment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas of a list's items and of a mapping's values."""
    parts = (*fragment.get("properties", {}).values(), fragment.get("items"))
    return [part for part in parts if isinstance(part, Mapping)]


def _all_parts(fragment: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in _parts(fragment):
        yield part
        yield from _all_parts(part)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


def _bases() -> list[str]:
    return [base.__name__ for base in KINDS.values()]


def _reason(error: BaseException) -> str:
    line = " ".join(str(error).split())
    return line if isinstance(error, PluginError) else f"{type(error).__name__}: {line}"
