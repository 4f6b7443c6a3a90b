"""Whether a plugin's `options_schema` can be used: its form, and its defaults and presets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchspec.kinds.bases import KINDS
from benchspec.kinds.option_schema import validating
from benchspec.terms.errors import suggest

Fragment = Mapping[str, Any]


def problems(schema: Fragment, presets: Mapping[str, Fragment]) -> Iterator[str]:
    """What is wrong with an `options_schema` and its presets, both mappings; the form before the values."""
    try:
        json.dumps([dict(schema), {name: dict(preset) for name, preset in presets.items()}], allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"options_schema and presets must be JSON: {error}"
        return
    found = [f"options_schema: {problem}" for problem in _form(schema)]
    yield from found or _values(schema, presets)


def _form(schema: Fragment) -> Iterator[str]:
    yield from _fragment(schema, "")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        return
    if "name" in properties:
        yield "the property 'name' is reserved"
    for key, fragment in properties.items():
        if isinstance(fragment, Mapping):
            yield from _references(fragment, key)
    required = schema.get("required", [])
    if isinstance(required, list) and (unknown := [key for key in required if key not in properties]):
        yield f"'required' names what is no property: {', '.join(map(str, unknown))}"


def _references(fragment: Fragment, key: str) -> Iterator[str]:
    """Mistakes in an option's `$ref`, which makes the option a plugin."""
    reference = fragment.get("$ref")
    if reference is not None and str(reference).removeprefix("#/$defs/") not in KINDS:
        yield f"'{key}' refers to '{reference}'; only #/$defs/KIND can be referred to (KIND: {', '.join(KINDS)})"
    if any("$ref" in part for part in _all_parts(fragment)):
        yield f"'{key}' refers to a plugin inside another schema; only an option itself can be a plugin"


def _fragment(fragment: Any, path: str) -> Iterator[str]:
    """Mistakes in the form of a schema and of those within it; `path` is the option that it describes."""
    where = f"'{path}' " if path else ""
    if not isinstance(fragment, Mapping):
        yield f"the property '{path}' must be a mapping, not {fragment!r}"
        return
    for keyword, value in fragment.items():
        if keyword not in _KNOWN and not str(keyword).startswith("x-"):
            yield f"{where}has {keyword!r}, {_unknown(str(keyword), path)}"
            continue
        holds, wanted = _KEYWORDS.get(keyword, _ANYTHING)
        if not holds(value):
            yield f"{where}has {keyword!r}: {value!r}, which is not {wanted}"
    properties = fragment.get("properties", {})
    for key, part in properties.items() if isinstance(properties, Mapping) else ():
        yield from _fragment(part, f"{path}.{key}" if path else key)
    for part in _unnamed_parts(fragment):
        yield from _fragment(part, path)


def _unknown(keyword: str, path: str) -> str:
    """What to do with a word that JSON schema does not have: without it, a misspelt `default` is silently none."""
    outside = "" if path else "; options stand under 'properties'"
    return f"which is no keyword of JSON schema{suggest(keyword, sorted(_KNOWN)) or outside} (a remark begins with x-)"


def _all_parts(fragment: Fragment) -> Iterator[Fragment]:
    """Every schema within a schema, at any depth."""
    named = [part for part in fragment.get("properties", {}).values() if isinstance(part, Mapping)]
    for part in (*named, *_unnamed_parts(fragment)):
        yield part
        yield from _all_parts(part)


def _unnamed_parts(fragment: Fragment) -> Iterator[Fragment]:
    """The schemas directly within a schema, but for its properties'."""
    for keyword, value in fragment.items():
        if keyword in _SCHEMA:
            parts = [value]
        elif keyword in _LIST_OF_SCHEMAS:
            parts = list(value) if isinstance(value, list | tuple) else []
        elif keyword in _MAP_OF_SCHEMAS:
            parts = list(value.values()) if isinstance(value, Mapping) else []
        else:
            continue
        yield from (part for part in parts if isinstance(part, Mapping))


def _values(schema: Fragment, presets: Mapping[str, Fragment]) -> Iterator[str]:
    """Defaults and options of presets that their own schemas refuse."""
    properties = schema.get("properties", {})
    defaults = {key: fragment["default"] for key, fragment in properties.items() if "default" in fragment}
    for key, why in _refused(properties, defaults):
        yield f"options_schema: the default of '{key}' is refused by its own schema: {why}"
    for name, preset in presets.items():
        if unknown := sorted(set(preset) - set(properties)):
            yield f"the preset '{name}' sets unknown options: {', '.join(unknown)}"
        for key, why in _refused(properties, {key: preset[key] for key in preset if key in properties}):
            yield f"the preset '{name}' sets '{key}' to what its schema refuses: {why}"


def _refused(properties: Mapping[str, Fragment], values: Fragment) -> Iterator[tuple[str, str]]:
    """Options that their schemas refuse, and why."""
    # Another plugin's options are checked with that plugin.
    values = {key: value for key, value in values.items() if "$ref" not in properties[key]}
    if not values:
        return
    for error in validating({"properties": {key: properties[key] for key in values}}).iter_errors(values):
        yield str(error.absolute_path[0]), " ".join(str(error.cause or error.message).split())


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _pattern(value: Any) -> bool:
    try:
        return bool(re.compile(value))
    except (re.error, TypeError):
        return False


def _types(value: Any) -> bool:
    found = [value] if isinstance(value, str) else value
    return isinstance(found, Sequence) and bool(found) and all(one in _TYPES for one in found)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _list(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value)


def _schemas(value: Any) -> bool:
    return _list(value) and all(map(_mapping, value))


def _named_schemas(value: Any) -> bool:
    return _mapping(value) and all(map(_mapping, value.values()))


_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_SCHEMA = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
_LIST_OF_SCHEMAS = ("prefixItems", "anyOf", "allOf", "oneOf")
_MAP_OF_SCHEMAS = ("patternProperties", "dependentSchemas")
_ANYTHING: tuple[Callable[[Any], bool], str] = (lambda value: True, "")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_SPECIAL: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "type": (_types, f"a type, or a list of types ({', '.join(_TYPES)})"),
    "properties": (_mapping, "a mapping"),
    "required": (_strings, "a list of names"),
    "enum": (_list, "a list of values"),
    "pattern": (_pattern, "a regular expression"),
    "format": (lambda value: isinstance(value, str), "a name"),
    "description": (lambda value: isinstance(value, str), "a text"),
    "additionalProperties": (lambda value: isinstance(value, bool) or _mapping(value), "true, false or a mapping"),
}
#: keyword of JSON schema -> whether a value can be used, and what it must be
_KEYWORDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(_SCHEMA, (_mapping, "a mapping")),
    **dict.fromkeys(_LIST_OF_SCHEMAS, (_schemas, "a list of mappings")),
    **dict.fromkeys(_MAP_OF_SCHEMAS, (_named_schemas, "a mapping of mappings")),
    **dict.fromkeys(_NUMBERS, (_number, "a number")),
    **dict.fromkeys(_COUNTS, (_count, "a whole number of at least 0")),
    **_SPECIAL,
}
#: every other keyword of JSON schema, draft 2020-12
_OTHERS = (
    *("$ref", "$defs", "$comment", "$id", "$schema", "$anchor", "$vocabulary", "$dynamicRef", "$dynamicAnchor"),
    *("title", "default", "examples", "deprecated", "readOnly", "writeOnly", "const", "uniqueItems"),
    *("minContains", "maxContains", "dependentRequired", "unevaluatedItems", "unevaluatedProperties"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
)
_KNOWN = frozenset([*_KEYWORDS, *_OTHERS])
