"""The JSON schemas: where they lie, the spec's composed with the options of every plugin, and its errors in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchspec.kinds.bases import CASE_KINDS, KINDS
from benchspec.kinds.registry import Entry, Registry
from benchspec.spec.document import Node
from benchspec.terms.errors import Problem, suggest
from benchspec.terms.metrics import METRICS
from benchspec.terms.units import DURATIONS, SIZES, quantity

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMAS = ("spec", "result", "event")
#: formats of ours whose strings are numbers with a unit
UNITS = {"seconds": DURATIONS, "size": SIZES}


def load(name: str) -> dict[str, Any]:
    """One of the schemas as it lies in the package, or beside it in a checkout."""
    here = Path(__file__).parents[1]
    folder = here / "schemas" if (here / "schemas").is_dir() else here.parent / "schemas"
    schema: dict[str, Any] = json.loads((folder / f"{name}.schema.json").read_text())
    return schema


def compose(registry: Registry, *, whole: bool = False) -> dict[str, Any]:
    """The spec's schema, with the names and options of every usable plugin.

    Options that are required are so only of `whole` cases: in a spec, a matrix may be what gives them.
    """
    schema = load("spec")
    definitions = schema["$defs"]
    for kind in KINDS:
        demanding = whole or kind not in CASE_KINDS
        definitions[kind] = _kind(definitions[kind], registry.entries(kind), demanding)
    definitions["references"]["properties"]["metric"] = {
        "description": "what the values are of",
        "enum": list(METRICS),
    }
    return schema


def for_editors(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with a plugin's names where editors look for what to complete; a wrong one is marked twice."""
    for kind in KINDS:
        definition = schema["$defs"][kind]
        definition["anyOf"] = [definition["then"], {"type": "object"}]
    return schema


def validator(schema: Mapping[str, Any], definition: str | None = None) -> Draft202012Validator:
    """A validator for a composed schema, or for one of its definitions."""
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    for name, units in UNITS.items():
        checker.checks(name, raises=ValueError)(lambda value, units=units: _has_unit(value, units))
    part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"} if definition else schema
    return Draft202012Validator(part, format_checker=checker)


def problems(check: Draft202012Validator, root: Node, registry: Registry) -> Iterator[Problem]:
    """What the schema says against a tree, each at the place where it was written."""
    for error in check.iter_errors(root.plain()):
        yield from _problems(error, root, registry)


def options(entry: Entry, demanding: bool) -> dict[str, Any]:
    """The options of a name as a schema for an object; what its preset sets is not required."""
    given = dict(entry.cls.options_schema)
    wanted = given.pop("required", []) if demanding else []
    required = [key for key in wanted if key not in entry.preset]
    properties = {"name": {"type": "string"}, **given.pop("properties", {})}
    return {"type": "object", **given, "properties": properties, "required": required, "additionalProperties": False}


def _has_unit(value: object, units: dict[str, float]) -> bool:
    if isinstance(value, str):
        quantity(value, units)
    return True


def _kind(base: Mapping[str, Any], entries: list[Entry], demanding: bool) -> dict[str, Any]:
    """A plugin's value: one of the names, or a mapping with a name and that name's options."""
    names = [entry.name for entry in entries]
    known = {"x-kind": base["x-kind"], "enum": names}
    extra = {key: value for key, value in base["properties"].items() if key != "name"}
    named = [_named(group, fields, extra) for group, fields in _alike(entries, demanding)]
    return {
        "x-kind": base["x-kind"],
        "description": base["description"],
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": known,
        "else": {
            "required": ["name"],
            "properties": {"name": {"description": "which one", **known}},
            **({"allOf": named} if named else {}),
        },
    }


def _alike(entries: list[Entry], demanding: bool) -> list[tuple[list[Entry], dict[str, Any]]]:
    """Entries grouped by the class and by what is required of them, so that one schema serves a class's presets."""
    groups: dict[tuple[type, tuple[str, ...]], tuple[list[Entry], dict[str, Any]]] = {}
    for entry in entries:
        fields = options(entry, demanding)
        groups.setdefault((entry.cls, tuple(fields["required"])), ([], fields))[0].append(entry)
    return list(groups.values())


def _named(group: list[Entry], fields: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    fields["properties"] = {**fields["properties"], **extra}
    doc = (group[0].cls.__doc__ or "").strip().splitlines()
    return {
        "if": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"enum": [entry.name for entry in group]}},
        },
        "then": {"description": doc[0] if doc else "", **fields},
    }


def _problems(error: Any, root: Node, registry: Registry) -> Iterator[Problem]:
    path = list(error.absolute_path)
    node = root.at(path)
    if error.validator == "additionalProperties":
        for key in _extra(error):
            yield node.at([key]).problem(_unknown_key(key, error), at_key=True)
    elif error.validator == "propertyNames":
        yield node.at([error.instance]).problem(f"{shown(error.instance)} is no name: {_NAME}", at_key=True)
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        # jsonschema reports each missing key by itself; the message names the one that is meant.
        key = next(key for key in missing if error.message.startswith(repr(key)))
        yield node.problem(f"'{key}' is missing{_described(error, key)}")
    else:
        yield node.problem(_message(error, registry))


def _extra(error: Any) -> list[str]:
    return [key for key in error.instance if key not in error.schema.get("properties", {})]


def _unknown_key(key: str, error: Any) -> str:
    allowed = list(error.schema.get("properties", {}))
    return f"unknown key {shown(key)} (allowed: {', '.join(allowed)}){suggest(key, allowed)}"


def _described(error: Any, key: str) -> str:
    description = error.schema.get("properties", {}).get(key, {}).get("description")
    return f" ({description})" if description else ""


def _message(error: Any, registry: Registry) -> str:
    """An error in our words; jsonschema's own where there is nothing to add."""
    value, wanted, found = error.validator, error.validator_value, error.instance
    if value == "enum" and "x-kind" in error.schema:
        return registry.unknown(error.schema["x-kind"], str(found))
    if value == "enum":
        allowed = [str(item) for item in wanted]
        return f"{shown(found)} is not allowed (allowed: {', '.join(allowed)}){suggest(str(found), allowed)}"
    if value == "const":
        return f"{shown(found)} is not supported; this benchspec knows {wanted}"
    if value == "type":
        names = [wanted] if isinstance(wanted, str) else wanted
        return f"expected {' or '.join(_TYPES[name] for name in names)}, found {shown(found)}"
    if value == "pattern":
        meant = error.schema.get("description", f"expected what matches {wanted}")
        return f"{shown(found)} " + (f"is no name: {_NAME}" if wanted == _NAME_PATTERN else f"is not allowed: {meant}")
    if value == "format":
        return str(error.cause) if error.cause else f"{shown(found)} is no {wanted}"
    if value in _BOUNDS:
        return f"{shown(found)} must be {_BOUNDS[value]} {wanted}"
    if value == "dependentRequired":
        return "; ".join(
            f"'{key}' needs {' and '.join(map(repr, needed))}" for key, needed in wanted.items() if key in found
        )
    if value == "maxLength":
        return f"{shown(found)} is longer than {wanted} characters"
    if value in ("minItems", "minProperties", "minLength"):
        return "is empty" if wanted == 1 else f"needs {wanted} values, found {len(found)}"
    return " ".join(error.message.split())


_NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]*$(?!\n)"
_NAME = "lower-case letters, digits, '.', '_' and '-' are allowed, a letter or digit first"
_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "maxItems": "at most of length",
}


def shown(value: Any) -> str:
    """A value as an error message shows it: strings quoted, what is long by its kind."""
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}…'"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value)
