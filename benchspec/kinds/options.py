"""Plugin options as plain values: defaults, presets, units, and options that are plugins themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchspec.kinds.bases import KINDS
from benchspec.kinds.option_schema import UNITS, item_schema, met, property_schema
from benchspec.terms.errors import PluginError
from benchspec.terms.units import quantity
from benchspec.terms.where import OWN

if TYPE_CHECKING:
    from benchspec.kinds.discovery import Entry
    from benchspec.kinds.registry import Registry

Options = dict[str, Any]


def completed(registry: Registry, kind: str, value: str | Mapping[str, Any]) -> Options:
    """A plugin's value as `{name, option…}` with every option: as given, or from the preset, or the default."""

    def fill(entry: Entry, given: Options) -> Options:
        return {**_defaults(entry.cls.options_schema), **entry.preset, **given}

    def convert(entry: Entry, name: str, options: Options) -> Options:
        fragments = entry.cls.options_schema.get("properties", {})
        return {"name": name} | {
            key: option if key in entry.nested else converted(fragments.get(key, {}), option)
            for key, option in options.items()
        }

    whole: Options = mapped(registry, kind, value, convert, fill)
    return whole


def as_given(registry: Registry, kind: str, value: str | Mapping[str, Any]) -> Options:
    """A plugin's value as `{name, option…}` with the given options only; benchspec's own plugins by their bare name."""

    def named(entry: Entry, name: str, options: Options) -> Options:
        return {"name": name.removeprefix(OWN), **options}

    given: Options = mapped(registry, kind, value, named)
    return given


def mapped(
    registry: Registry,
    kind: str,
    value: str | Mapping[str, Any],
    change: Callable[[Entry, str, Options], Any],
    fill: Callable[[Entry, Options], Options] = lambda entry, options: options,
) -> Any:
    """`change` applied to a plugin's entry, name and options; first to nested plugins, then to the plugin itself.

    `fill` completes a plugin's options before that. Raises `PluginError` for an unknown name.
    """
    if not isinstance(value, str) and not (isinstance(value, Mapping) and "name" in value):
        raise PluginError(f"{value!r} names no {kind}; give its name, or a mapping with name and options")
    name, given = name_and_options(value)
    entry = registry.find(kind, name)
    nested = entry.nested
    options = {
        key: mapped(registry, nested[key], option, change, fill) if key in nested and option is not None else option
        for key, option in fill(entry, given).items()
    }
    return change(entry, name, options)


def name_and_options(value: str | Mapping[str, Any]) -> tuple[str, Options]:
    """The name and the options in a plugin's value, which is a name or a mapping."""
    if isinstance(value, str):
        return value, {}
    return str(value["name"]), {key: option for key, option in value.items() if key != "name"}


def nested_kinds(options_schema: Mapping[str, Any]) -> dict[str, str]:
    """The options that are plugins themselves, and their kinds: `{"of": "dataset"}`."""
    properties = options_schema.get("properties", {})
    return {key: kind for key, fragment in properties.items() if (kind := kind_of(fragment))}


def kind_of(fragment: Mapping[str, Any]) -> str | None:
    """The kind of an option that is a plugin, by its schema; None for a plain value."""
    kind = str(fragment.get("$ref", "")).removeprefix("#/$defs/")
    return kind if kind in KINDS else None


def section(definition: Mapping[str, Any], given: Mapping[str, Any] | None) -> Options | None:
    """A completed section, such as `train`; one that is not given and can be null stays None."""
    if given is None and "null" in definition["type"]:
        return None
    given = given or {}
    return {
        key: converted(fragment, given.get(key, fragment.get("default")))
        for key, fragment in definition["properties"].items()
    }


def converted(fragment: Mapping[str, Any], value: Any) -> Any:
    """A value converted by its schema: quantities to numbers, whole floats to integers, defaults filled in."""
    fragment = met(fragment, value)
    if isinstance(value, list):
        return [converted(item_schema(fragment, place), item) for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        whole = {**_defaults(fragment), **value}
        return {key: converted(property_schema(fragment, key), item) for key, item in whole.items()}
    if isinstance(value, float) and value.is_integer() and "integer" in fragment.get("type", ()):
        return int(value)
    units = UNITS.get(fragment.get("format", ""))
    return quantity(value, units) if units and isinstance(value, str) else value


def _defaults(schema: Mapping[str, Any]) -> Options:
    """The defaults of an object's properties."""
    properties = schema.get("properties", {})
    return {key: fragment["default"] for key, fragment in properties.items() if "default" in fragment}
