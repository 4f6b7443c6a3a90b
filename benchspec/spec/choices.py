"""What a spec says of a case -> what a worker needs: plugins as mappings, defaults filled in, paths and units plain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchspec.kinds.bases import CASE_KINDS
from benchspec.kinds.registry import Registry, nested_kinds
from benchspec.spec.document import Node, bare
from benchspec.spec.schema import UNITS
from benchspec.terms.units import quantity


def said(registry: Registry, fields: Node) -> dict[str, Any]:
    """The fields of a case as they were written, in one form whichever way that was: what its id is bound to."""
    return {
        key: _said_plugin(registry, key, node) if key in CASE_KINDS else node.plain()
        for key, node in fields.value.items()
    }


def plugin(registry: Registry, kind: str, node: Node) -> dict[str, Any]:
    """A plugin's value as `{name, option…}` with every option: its default, its preset's, or the one given."""
    name, given = name_and_options(node)
    entry = registry.find(kind, name)
    fragments = entry.cls.options_schema.get("properties", {})
    defaults = {key: fragment["default"] for key, fragment in fragments.items() if "default" in fragment}
    nodes = bare({**defaults, **entry.preset}).value | given
    nested = nested_kinds(entry.cls.options_schema)
    return {"name": name} | {
        key: plugin(registry, nested[key], option) if key in nested and option.value else value(fragments[key], option)
        for key, option in nodes.items()
    }


def section(definition: Mapping[str, Any], node: Node | None) -> dict[str, Any]:
    """`train`, `measure` or `limits` with every field."""
    given = node.value if node else {}
    return {
        key: value(fragment, given[key]) if key in given else fragment.get("default")
        for key, fragment in definition["properties"].items()
    }


def value(fragment: Mapping[str, Any], node: Node) -> Any:
    """An option's value as its schema's format wants it: paths absolute, quantities as numbers, defaults filled in."""
    if isinstance(node.value, list):
        return [value(fragment.get("items", {}), item) for item in node.value]
    if isinstance(node.value, dict):
        properties = fragment.get("properties", {})
        defaults = {key: sub["default"] for key, sub in properties.items() if "default" in sub}
        return defaults | {key: value(properties.get(key, {}), item) for key, item in node.value.items()}
    if isinstance(node.value, float) and node.value.is_integer() and "integer" in fragment.get("type", ()):
        return int(node.value)
    convert = _FORMATS.get(fragment.get("format", ""))
    return convert(node) if convert and isinstance(node.value, str) else node.value


def missing_files(registry: Registry, kind: str, node: Node) -> Iterator[Node]:
    """The given options of format `path` that name nothing on this machine."""
    name, given = name_and_options(node)
    schema = registry.find(kind, name).cls.options_schema
    nested = nested_kinds(schema)
    for key, option in given.items():
        if key in nested and option.value:
            yield from missing_files(registry, nested[key], option)
        elif schema["properties"].get(key, {}).get("format") == "path" and _is_missing(option):
            yield option


def _is_missing(option: Node) -> bool:
    return isinstance(option.value, str) and not Path(_path(option)).exists()


def name_and_options(node: Node) -> tuple[str, dict[str, Node]]:
    """A plugin's value, a name or a mapping, as both of its parts."""
    if isinstance(node.value, dict):
        return str(node.value["name"].value), {key: option for key, option in node.value.items() if key != "name"}
    return str(node.value), {}


def _said_plugin(registry: Registry, kind: str, node: Node) -> dict[str, Any]:
    name, given = name_and_options(node)
    nested = nested_kinds(registry.find(kind, name).cls.options_schema)
    return {"name": name} | {
        key: _said_plugin(registry, nested[key], option) if key in nested and option.value else option.plain()
        for key, option in given.items()
    }


def _path(node: Node) -> str:
    path = Path(node.value).expanduser()
    return str(node.mark.folder.absolute() / path) if node.mark.folder else node.value


def _path_or_hub(node: Node) -> str:
    path = _path(node)
    explicit = node.value.startswith(("/", "./", "../", "~"))
    return path if node.mark.folder and (explicit or Path(path).exists()) else node.value


def _quantity(units: Any) -> Callable[[Node], float]:
    return lambda node: quantity(node.value, units)


_FORMATS: Mapping[str, Callable[[Node], Any]] = {
    "path": _path,
    "path-or-hub": _path_or_hub,
    **{name: _quantity(units) for name, units in UNITS.items()},
}
