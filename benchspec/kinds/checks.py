"""Whether a plugin class can be used: its name, methods, attributes, options and presets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from benchspec.kinds import fragments
from benchspec.kinds.bases import KINDS, Backend, Launcher, Model, Plugin, Recipe, Reporter
from benchspec.kinds.faults import defined_at

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def problems(cls: Any) -> Iterator[str]:
    """Why a class that a plugin module registers cannot be used; the first problem may cause the others."""
    if not isinstance(cls, type) or not issubclass(cls, Plugin) or not hasattr(cls, "kind"):
        bases = ", ".join(base.__name__ for base in KINDS.values())
        if isinstance(cls, Plugin):
            found = type(cls)
            yield f"benchspec_register returned an instance of {found.__name__}, not the class{defined_at(found)}"
            return
        yield f"benchspec_register returned {cls!r}, which is not a subclass of {bases}{defined_at(cls)}"
        return
    for problem in _problems(cls):
        yield f"{cls.__name__}: {problem}{defined_at(cls)}"


def _problems(cls: type[Plugin]) -> Iterator[str]:
    if not isinstance(getattr(cls, "name", None), str):
        yield "the class has no 'name', a string"
        return
    if not _mapping(cls.options_schema) or not _mapping(cls.presets) or not all(map(_mapping, cls.presets.values())):
        yield "options_schema must be a mapping, and presets a mapping of mappings"
        return
    for name in (cls.name, *cls.presets):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"'{name}' is not a valid name: letters, digits, '.', '_', '+' and '-' are allowed"
    if cls.kind == Reporter.kind and "path" in cls.options_schema.get("properties", {}):
        yield "the option 'path' is where a spec keeps a report: call it otherwise, such as 'file'"
    yield from _missing_methods(cls)
    yield from _attributes(cls)
    yield from fragments.problems(cls.options_schema, cls.presets)


def likely_misspelt(cls: type[Plugin]) -> list[str]:
    """Remarks on public names that are almost those of methods or attributes of the base class that it leaves out."""
    base = KINDS[cls.kind]
    free = [name for name in _public(base) if getattr(cls, name) is getattr(base, name)]
    own = [name for name in _public(cls) if not hasattr(base, name)]
    close = {name: get_close_matches(name, free, n=1, cutoff=0.85) for name in own}
    return [
        f"{cls.__name__}.{name}{'()' if callable(getattr(cls, name)) else ''}: did you mean '{found[0]}'?"
        for name, found in close.items()
        if found
    ]


def _missing_methods(cls: type[Plugin]) -> Iterator[str]:
    for name in _public(KINDS[cls.kind]):
        if getattr(getattr(cls, name), "__isabstractmethod__", False):
            close = get_close_matches(name, _own_methods(cls), n=1)
            hint = f"; did you mean its method '{close[0]}'?" if close else ""
            yield f"the method {name}() is missing, which every {cls.kind} needs{hint}"


def _own_methods(cls: type[Plugin]) -> list[str]:
    """The public methods that its base class does not have."""
    return [name for name in _public(cls) if not hasattr(KINDS[cls.kind], name) and callable(getattr(cls, name))]


def _public(cls: type) -> list[str]:
    return [name for name in dir(cls) if not name.startswith("_")]


def _attributes(cls: type[Plugin]) -> Iterator[str]:
    for name, (holds, wanted) in _ATTRIBUTES.get(KINDS[cls.kind], {}).items():
        value = getattr(cls, name)
        # The value of a property is known once there is an instance.
        if not isinstance(value, property) and not holds(value):
            yield f"'{name}' is {value!r}, not {wanted}"


def is_count(value: Any) -> bool:
    """Whether a value is a number of things, at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(one, str) for one in value)


def _templates(value: Any) -> bool:
    keys = ("with_input", "without_input")
    return _mapping(value) and all(isinstance(value.get(key), str) and _is_template(value[key]) for key in keys)


def _is_template(text: str) -> bool:
    """Whether a prompt can be made of a text: the answer is no part of it."""
    try:
        text.format(instruction="", input="")
    except (KeyError, IndexError, ValueError, AttributeError):
        return False
    return True


_TRUTH = (lambda value: isinstance(value, bool), "True or False")
#: base class -> attribute -> whether a value can be used, and what it must be
_ATTRIBUTES: Mapping[type, Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    Model: {"blocks": (_names, "a list of class names")},
    Recipe: {
        "templates": (
            _templates,
            "a mapping with the texts 'with_input' and 'without_input', of {instruction} and {input} alone",
        ),
        "rows_vary": _TRUTH,
    },
    Backend: {
        "processes": (lambda value: value is None or is_count(value), "a number of at least 1, or None"),
        "optimizers": (lambda value: value is None or _names(value), "a list of optimizers, or None"),
    },
    Launcher: {"parallel": (is_count, "a number of at least 1"), "elsewhere": _TRUTH},
    Reporter: {
        "suffix": (lambda value: isinstance(value, str), "a string"),
        "printed": _TRUTH,
    },
}
