"""JSON-schema errors -> readable messages with file, line and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchspec.kinds.bases import FIELDS
from benchspec.kinds.registry import Registry
from benchspec.spec.document import Node, dotted
from benchspec.terms.errors import Problem, suggest
from benchspec.terms.harmless import clipped

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def problems(check: Draft202012Validator, root: Node, registry: Registry) -> Iterator[Problem]:
    """The schema's errors for a tree, each at the position of the value that it is about."""
    for error in check.iter_errors(root.plain()):
        yield from _problems(error, root, registry)


def _problems(error: Any, root: Node, registry: Registry) -> Iterator[Problem]:
    path = list(error.absolute_path)
    node = root.at(path)
    if error.validator == "additionalProperties":
        for key in _extra(error):
            found = node.at([key])
            yield found.problem(_unknown_key(found, key, error), at_key=True)
    elif "propertyNames" in error.absolute_schema_path:
        yield node.at([error.instance]).problem(_message(error, registry), at_key=True)
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        # jsonschema reports each missing key separately, and only its message says which key.
        key = next(key for key in missing if error.message.startswith(repr(key)))
        if error.schema.get("additionalProperties") is False and any(suggest(one, [key]) for one in _extra(error)):
            # It is there, misspelt, and told as an unknown key.
            return
        yield node.problem(f"'{key}' is missing{_described(error, key)}")
    else:
        yield node.problem(_message(error, registry))


def _extra(error: Any) -> list[str]:
    known, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
    return [key for key in error.instance if key not in known and not any(re.search(each, key) for each in patterns)]


def _unknown_key(node: Node, key: str, error: Any) -> str:
    if not error.absolute_path and key in FIELDS:
        path = dotted(node.path)
        return f"'{key}' is a field of a case: write defaults.{path}, or experiments.NAME.{path} for one experiment"
    allowed = list(error.schema.get("properties", {}))
    return f"unknown key {shown(key)} (allowed: {', '.join(allowed)}){suggest(key, allowed)}"


def _described(error: Any, key: str) -> str:
    description = error.schema.get("properties", {}).get(key, {}).get("description")
    return f" ({description})" if description else ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _message(error: Any, registry: Registry) -> str:
    """The message for an error: benchspec's own wording, or jsonschema's for keywords not handled here."""
    value, wanted, found = error.validator, error.validator_value, error.instance
    if value == "enum" and "x-kind" in error.schema:
        return registry.unknown(error.schema["x-kind"], str(found))
    if value == "enum":
        allowed = [item if isinstance(item, str) else json.dumps(item) for item in wanted]
        return f"{shown(found)} is not allowed (allowed: {', '.join(allowed)}){suggest(str(found), allowed)}"
    if value == "const":
        return f"{shown(found)} is not supported; this version of benchspec supports {wanted}"
    if value == "type":
        names = [wanted] if isinstance(wanted, str) else wanted
        quoted = ", which is text: leave out its quotes" if isinstance(found, str) and _is_number(found) else ""
        return f"expected {' or '.join(_TYPES[name] for name in names)}, found {shown(found)}{quoted}"
    if value == "pattern":
        meant = error.schema.get("description", f"expected a match for {wanted}")
        return f"{shown(found)} " + (
            f"is not a valid name: {_NAME}" if wanted == _NAME_PATTERN else f"is not allowed: {meant}"
        )
    if value == "format":
        return str(error.cause) if error.cause else f"{shown(found)} is not a valid {wanted}"
    if value in _BOUNDS:
        share = error.schema.get("format") == "share"
        limit = f"{100 * wanted:g}%, a share such as 2% or 0.02" if share else wanted
        return f"{shown(found)} must be {_BOUNDS[value]} {limit}"
    if value in _COUNTED:
        return f"has {len(found):,} {_COUNTED[value]}; at most {wanted:,} are allowed"
    if value == "dependentRequired":
        return "; ".join(
            f"'{key}' needs {' and '.join(map(repr, needed))}" for key, needed in wanted.items() if key in found
        )
    if value == "maxLength":
        return f"{shown(found)} is longer than {wanted} characters"
    if value in ("minItems", "minProperties", "minLength"):
        return "is empty" if wanted == 1 else f"needs {wanted} values, found {len(found)}"
    return clipped(" ".join(error.message.split()), 300)


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
}
_COUNTED = {"maxItems": "entries", "maxProperties": "keys"}


def shown(value: Any) -> str:
    """A value as error messages show it: strings quoted and clipped, mappings and lists by type only."""
    if isinstance(value, str):
        return f"'{clipped(value)}'"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value)
