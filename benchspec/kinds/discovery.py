"""Entry points -> plugin classes whose name, options and presets can be used."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast

import pluggy

from benchspec.kinds import hookspecs
from benchspec.kinds.bases import Plugin
from benchspec.kinds.checks import problems
from benchspec.kinds.faults import explained, returned
from benchspec.kinds.options import nested_kinds
from benchspec.terms.errors import PluginError

if TYPE_CHECKING:
    from pluggy import HookimplOpts

#: the group of entry points that plugin packages register in
GROUP = "benchspec"
#: the attribute by which pluggy marks a hook of this group
MARK = f"{GROUP}_impl"


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from."""

    #: its name and version
    distribution: str
    module: str

    @cached_property
    def project(self) -> str:
        """The distribution's name as package indexes write it (PEP 503)."""
        return re.sub(r"[-_.]+", "-", self.distribution.rsplit(" ", 1)[0]).lower()

    @property
    def version(self) -> str:
        """The distribution's version."""
        return self.distribution.rsplit(" ", 1)[-1]

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

    @cached_property
    def full_name(self) -> str:
        """`DISTRIBUTION:NAME`, which a spec can use instead of the name."""
        return f"{self.origin.project}:{self.name}"

    @cached_property
    def nested(self) -> dict[str, str]:
        """The options that are plugins themselves, and their kinds: `{"of": "dataset"}`."""
        return nested_kinds(self.cls.options_schema)


@dataclass(frozen=True)
class Broken:
    """A plugin that cannot be used, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


class _Manager(pluggy.PluginManager):
    """pluggy's manager, which looks at what a module marks as a hook, and not at everything that it has imported."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        if isinstance(plugin, ModuleType) and not _is_marked(vars(plugin).get(name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _is_marked(value: object) -> bool:
    # Of other objects nothing is asked: an application's proxy may raise any exception.
    return type(value) in (FunctionType, MethodType) and hasattr(value, MARK)


def discover(points: Iterable[EntryPoint] | None = None) -> tuple[list[Entry], list[Broken]]:
    """The entries that the modules of all entry points register, and the modules that cannot be used."""
    manager = _Manager(GROUP)
    manager.add_hookspecs(hookspecs)
    entries: list[Entry] = []
    broken: list[Broken] = []
    known: set[tuple[str, Any]] = set()
    for point, origin in _distinct(entry_points(group=GROUP) if points is None else points):
        try:
            # A module that prints while it is imported must not add to a command's stdout.
            with redirect_stdout(sys.stderr):
                classes = _classes(manager, point)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            broken.append(Broken(origin, _reason(error, point)))
            continue
        for cls in classes:
            # Two modules of a package may hand on the same class; what is no class need not be hashable.
            if isinstance(cls, type):
                if (origin.project, cls) in known:
                    continue
                known.add((origin.project, cls))
            if problem := next(problems(cls), None):
                broken.append(Broken(origin, problem))
            else:
                entries += _entries(cls, origin)
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


def _classes(manager: pluggy.PluginManager, point: EntryPoint) -> Sequence[type[Plugin]]:
    """Register the module under its path and read the classes that its hook returns."""
    if point.pattern.match(point.value) is None:
        raise PluginError(f"the entry point '{point.name}' is '{point.value}', which is not the path of a module")
    module = point.load()
    # If two distributions ship the same module, pluggy rejects the second, and the listing shows its reason.
    manager.register(module, name=point.value)
    hooks = [hook for hook in manager.hook.benchspec_register.get_hookimpls() if hook.plugin is module]
    if not hooks:
        if not isinstance(module, ModuleType):
            raise PluginError(f"an entry point names a module: write {point.module}, not {point.value}")
        raise PluginError(f"no function called benchspec_register is marked with @hookimpl{_misspelt(module)}")
    hook = hooks[0].function
    classes: Any = hook()
    return cast("Sequence[type[Plugin]]", returned(hook, classes, (list, tuple), "a list of plugin classes"))


def _misspelt(module: object) -> str:
    marked = [name for name, value in getattr(module, "__dict__", {}).items() if _is_marked(value)]
    return f" (marked: {', '.join(marked)}; did you mean 'benchspec_register'?)" if marked else ""


def _entries(cls: type[Plugin], origin: Origin) -> list[Entry]:
    own = Entry(cls.kind, cls.name, cls, {}, origin)
    return [own, *(Entry(cls.kind, name, cls, preset, origin) for name, preset in cls.presets.items())]


def _reason(error: BaseException, point: EntryPoint) -> str:
    """Why a module cannot be used, in a line; for an exception, with the place in the module's own package."""
    if isinstance(error, PluginError):
        return str(error)
    # Where its value is no path of a module, it has no attribute `module`.
    said = explained(error, [point.value.partition(":")[0].partition(".")[0].strip()])
    made = isinstance(error, TypeError) and "required positional argument: 'options'" in str(error)
    return f"{said}; benchspec_register returns classes, and no instances" if made else said
