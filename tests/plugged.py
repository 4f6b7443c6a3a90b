"""Registries of plugins that tests define."""

from __future__ import annotations

from benchspec import Backend, Dataset
from benchspec.kinds.discovery import Entry, Origin
from benchspec.kinds.registry import Registry

ORIGIN = Origin("benchspec-acme 1.0", "benchspec_acme")


def dataset(name, **attributes):
    return type("Rows", (Dataset,), {"name": name, "__doc__": "Rows.", "rows": lambda self: [], **attributes})


def backend(name, **attributes):
    return type("B", (Backend,), {"name": name, "prove": lambda self, model: {}, **attributes})


def only(*classes):
    """A registry of these classes and their presets alone."""
    return Registry(_entries(classes))


def beside(*classes):
    """A registry of these classes and their presets beside all that is installed."""
    return Registry([*Registry.load().entries(), *_entries(classes)])


def _entries(classes):
    return [
        Entry(cls.kind, name, cls, preset, ORIGIN)
        for cls in classes
        for name, preset in {cls.name: {}, **cls.presets}.items()
    ]
