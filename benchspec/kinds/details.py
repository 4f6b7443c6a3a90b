"""One plugin with its options, for `benchspec plugins NAME`, and all plugins as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from textwrap import fill
from typing import Any

from benchspec.kinds.checks import likely_misspelt
from benchspec.kinds.discovery import Entry
from benchspec.kinds.listing import parameters, presets, summary
from benchspec.kinds.options import kind_of
from benchspec.kinds.registry import HOW, Registry
from benchspec.terms.errors import PluginError, suggest
from benchspec.terms.harmless import printable
from benchspec.terms.units import count_text


def named(registry: Registry, name: str) -> list[Entry]:
    """The plugins of a name, of every kind; raises `PluginError` if there are none."""
    found = [entry for entry in registry.entries() if name in (entry.name, entry.full_name)]
    if not found:
        hint = suggest(name, [registry.name(entry) for entry in registry.entries()])
        raise PluginError(f"no plugin is called '{name}'{hint or HOW} (`benchspec plugins` lists all){registry.lost()}")
    return found


def as_text(registry: Registry, entries: Sequence[Entry], width: int) -> str:
    """What each plugin is for, where it comes from, its options and its presets."""
    return printable("\n\n\n".join(_page(registry, entry, width) for entry in entries))


def as_values(registry: Registry, entries: Sequence[Entry]) -> dict[str, Any]:
    """These plugins and whatever did not load, as JSON values."""
    return {"plugins": [_values(registry, entry) for entry in entries], "broken": _broken(registry)}


def _page(registry: Registry, entry: Entry, width: int) -> str:
    facts = [
        f"a preset of {entry.cls.name}" if _is_preset(entry) else "",
        f"{count_text(size)} parameters" if (size := parameters(registry, entry)) else "",
        str(entry.origin),
    ]
    title = f"{entry.kind} {registry.name(entry)}: {', '.join(filter(None, facts))}"
    options = "\n".join(_lines(one, width) for one in _options(entry))
    more = "" if _is_preset(entry) else ", ".join(registry.name(one) for one in presets(registry, entry))
    return "\n\n".join(
        [
            _filled(title, width),
            *(_filled(paragraph, width) for paragraph in cleandoc(entry.cls.__doc__ or "").split("\n\n")),
            f"Options:\n{options}" if options else "It has no options.",
            *([_filled(f"Presets: {more}", width)] if more else []),
            *(_filled(f"Perhaps misspelt: {remark}", width) for remark in likely_misspelt(entry.cls)),
        ]
    )


def _lines(option: Mapping[str, Any], width: int) -> str:
    """An option's name, type and default, and on further lines its meaning."""
    default = "required" if option["required"] else f"default: {_written(option['default'])}"
    head = f"{option['name']}: {option['type']} ({default})"
    meaning = [_filled(option["description"], width, "      ")] if option["description"] else []
    return "\n".join([_filled(head, width, "  ", "    "), *meaning])


def _filled(text: str, width: int, first: str = "", rest: str | None = None) -> str:
    """Text in lines of at most this width, if its words are; a block that is indented stays as it is."""
    if text.startswith(" "):
        return text
    following = first if rest is None else rest
    return fill(
        text, width, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False
    )


def _values(registry: Registry, entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": registry.name(entry),
        "class": entry.cls.__name__,
        "preset_of": entry.cls.name if _is_preset(entry) else None,
        "description": summary(entry),
        "distribution": entry.origin.distribution,
        "module": entry.origin.module,
        "parameters": parameters(registry, entry),
        "options": list(_options(entry)),
        "remarks": likely_misspelt(entry.cls),
    }


def _broken(registry: Registry) -> list[dict[str, str]]:
    return [
        {"distribution": one.origin.distribution, "module": one.origin.module, "reason": one.reason}
        for one in registry.broken
    ]


def _is_preset(entry: Entry) -> bool:
    return entry.name in entry.cls.presets


def _options(entry: Entry) -> Iterator[dict[str, Any]]:
    """The options of a name: its preset's values count as defaults, and such an option is not required."""
    schema = entry.cls.options_schema
    for key, fragment in schema.get("properties", {}).items():
        required = key in schema.get("required", ()) and key not in entry.preset
        default = entry.preset.get(key, fragment.get("default"))
        yield _option(key, fragment, default, required)
        yield from _inner(key, fragment)


def _inner(path: str, fragment: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options inside an option that is a mapping, by their dotted paths."""
    for key, part in fragment.get("properties", {}).items():
        inner = f"{path}.{key}"
        yield _option(inner, part, part.get("default"), key in fragment.get("required", ()))
        yield from _inner(inner, part)


def _option(name: str, fragment: Mapping[str, Any], default: Any, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "type": type_text(fragment),
        "required": required,
        "default": default,
        "description": fragment.get("description", ""),
    }


def type_text(fragment: Mapping[str, Any]) -> str:
    """The values that an option takes, in words: `integer or null, at least 1`."""
    if kind := kind_of(fragment):
        return f"a {kind} plugin"
    if "const" in fragment or "enum" in fragment:
        return " or ".join(_written(value) for value in fragment.get("enum", [fragment.get("const")]))
    types = fragment.get("type", [])
    names = [types] if isinstance(types, str) else list(types)
    if (quantity := _QUANTITIES.get(fragment.get("format", ""))) and "string" in names:
        names[names.index("string")] = quantity
    words = " or ".join(_TYPES.get(name, name) for name in names) or "any value"
    return ", ".join([words, *(f"{text} {fragment[key]}" for key, text in _BOUNDS.items() if key in fragment)])


def _written(value: Any) -> str:
    """A value as a spec would have it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


_QUANTITIES = {
    "seconds": "duration such as 15 min",
    "size": "size such as 80 GiB",
    "path": "path",
    "path-or-hub": "path or hub name",
}
_TYPES = {"object": "mapping", "array": "list", "boolean": "true or false"}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
