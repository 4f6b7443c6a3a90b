"""The spec's JSON schema, with every plugin's options added, and how a spec is checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchspec.kinds.bases import CASE_KINDS, KINDS, Plugin
from benchspec.kinds.discovery import Entry
from benchspec.kinds.option_schema import validating
from benchspec.kinds.registry import Registry
from benchspec.terms import schemas
from benchspec.terms.metrics import METRICS

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def compose(registry: Registry, *, whole: bool = False) -> dict[str, Any]:
    """The spec's schema, with the names and options of every usable plugin.

    With `whole`, a plugin's required options must be given; without, they may be missing, since a matrix may give them.
    """
    schema = schemas.load("spec")
    definitions = schema["$defs"]
    for kind in KINDS:
        check_required = whole or kind not in CASE_KINDS
        default = definitions["fields"]["properties"].get(kind, {}).get("default")
        definitions[kind] = _kind(definitions[kind], registry, kind, default, check_required)
    definitions["references"]["properties"]["metric"] = {
        "description": "what the values measure",
        "enum": list(METRICS),
    }
    return schema


def validator(schema: Mapping[str, Any], definition: str | None = None) -> Draft202012Validator:
    """A validator for a composed schema, or for one of its definitions."""
    part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"} if definition else schema
    return validating(part)


def options(entry: Entry, check_required: bool) -> dict[str, Any]:
    """The schema for a name and its options; an option that the name's preset sets is not required."""
    given = dict(entry.cls.options_schema)
    wanted = given.pop("required", []) if check_required else []
    required = [key for key in wanted if key not in entry.preset]
    properties = {"name": {"type": "string"}, **given.pop("properties", {})}
    return {"type": "object", **given, "properties": properties, "required": required, "additionalProperties": False}


def _kind(
    base: Mapping[str, Any], registry: Registry, kind: str, default: str | None, check_required: bool
) -> dict[str, Any]:
    """The schema of a plugin's value: one of the names, or a mapping with a name and that name's options."""
    meant = "the plugin's name" + (f", such as the default, {default}" if default else "")
    entries = registry.entries(kind)
    names = [name for entry in entries for name in registry.spellings(entry)]
    known = {"x-kind": base["x-kind"], "enum": names}
    extra = {key: value for key, value in base["properties"].items() if key != "name"}
    named = [
        _named(group[0].cls, [name for entry in group for name in registry.spellings(entry)], fields, extra)
        for group, fields in _alike(entries, check_required)
    ]
    return {
        "x-kind": base["x-kind"],
        "description": base["description"],
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": known,
        "else": {
            "required": ["name"],
            "properties": {"name": {"description": meant, **known}},
            **({"allOf": named} if named else {}),
        },
    }


def _alike(entries: list[Entry], check_required: bool) -> list[tuple[list[Entry], dict[str, Any]]]:
    """Entries grouped by class and required options, so that the presets of a class share one schema."""
    groups: dict[tuple[type, tuple[str, ...]], tuple[list[Entry], dict[str, Any]]] = {}
    for entry in entries:
        fields = options(entry, check_required)
        groups.setdefault((entry.cls, tuple(fields["required"])), ([], fields))[0].append(entry)
    return list(groups.values())


def _named(cls: type[Plugin], names: list[str], fields: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    fields["properties"] = {**fields["properties"], **extra}
    doc = (cls.__doc__ or "").strip().splitlines()
    return {
        "if": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"enum": names}},
        },
        "then": {"description": doc[0] if doc else "", **fields},
    }
