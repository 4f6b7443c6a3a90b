"""What the JSON schema of an option says of a value: draft 2020-12, with benchspec's formats of quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from benchspec.terms.units import DURATIONS, SHARES, SIZES, quantity

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker

#: benchspec's own JSON-schema formats for strings that hold a number with a unit
UNITS = {"seconds": DURATIONS, "size": SIZES, "share": SHARES}

#: what JSON schema has for alternatives
_ALTERNATIVES = ("anyOf", "oneOf")
_PARTS = {*_ALTERNATIVES, "allOf"}


def met(fragment: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """A schema with the keywords of its parts that a value meets: of alternatives, of the first one that it meets."""
    if fragment.keys().isdisjoint(_PARTS):
        return fragment
    chosen = [next((part for part in fragment.get(word, ()) if _meets(value, part)), None) for word in _ALTERNATIVES]
    parts = [met(part, value) for part in (*chosen, *fragment.get("allOf", ())) if part is not None]
    merged = {key: item for part in (*reversed(parts), fragment) for key, item in part.items()}
    properties = {key: item for part in (*parts, fragment) for key, item in part.get("properties", {}).items()}
    return {**merged, "properties": properties}


def _meets(value: Any, fragment: Mapping[str, Any]) -> bool:
    return bool(validating(fragment).is_valid(value))


def validating(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator of JSON schema's draft 2020-12 that knows benchspec's formats."""
    return _validator_class()(schema, format_checker=_formats())


@cache
def _validator_class() -> type[Draft202012Validator]:
    from jsonschema import Draft202012Validator, validators

    checks = {name: _on_quantities(Draft202012Validator.VALIDATORS[name]) for name in _BOUNDS}
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    extend: Any = validators.extend
    found: type[Draft202012Validator] = extend(Draft202012Validator, checks, type_checker=types)
    return found


_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")


def _is_integer(checker: object, value: object) -> bool:
    """As in JSON schema, where 1.0 is an integer too; but not 1e300, which no field can mean."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53
    return whole or (isinstance(value, int) and not isinstance(value, bool))


def _on_quantities(check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    """A bound that also holds for text such as `0 s`, in the unit that the schema's format says."""

    def checked(validator: Any, bound: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        units = UNITS.get(schema.get("format", ""))
        if units and isinstance(value, str):
            try:
                value = quantity(value, units)
            except ValueError:
                # The check of the format says so.
                return
        yield from check(validator, bound, value, schema) or ()

    return checked


@cache
def _formats() -> FormatChecker:
    """The check of benchspec's own formats of strings: durations, sizes and shares."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name, units in UNITS.items():
        checker.checks(name, raises=ValueError)(lambda value, units=units: _has_unit(value, units))
    return checker


def _has_unit(value: object, units: dict[str, float]) -> bool:
    if isinstance(value, str):
        quantity(value, units)
    return True


def item_schema(fragment: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    """The schema of a list's item."""
    first = fragment.get("prefixItems", ())
    return _schema(first[place] if place < len(first) else fragment.get("items"))


def property_schema(fragment: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The schema of a mapping's value."""
    properties = fragment.get("properties", {})
    return _schema(properties[key] if key in properties else fragment.get("additionalProperties"))


def _schema(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
