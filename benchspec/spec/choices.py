"""A plugin's value in a spec -> its name and options as plain values, with absolute paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchspec.kinds.option_schema import item_schema, met, property_schema
from benchspec.kinds.options import kind_of
from benchspec.kinds.registry import Registry
from benchspec.spec.document import Node

#: called with a scalar option's schema and node; returns the value to use
Leaf = Callable[[Mapping[str, Any], Node], Any]


def with_absolute_paths(registry: Registry, kind: str, node: Node) -> str | dict[str, Any]:
    """A plugin's value, a name or `{name, option…}`; a relative path is resolved against the file that contains it."""
    value: str | dict[str, Any] = _plugin(registry, kind, node, _absolute)
    return value


def missing_files(registry: Registry, kind: str, node: Node) -> list[Node]:
    """The options of format `path` whose file or folder does not exist on this machine."""
    missing: list[Node] = []

    def look(fragment: Mapping[str, Any], option: Node) -> None:
        if isinstance(option.value, str) and fragment.get("format") == "path" and not _exists(_path(option)):
            missing.append(option)

    _plugin(registry, kind, node, look)
    return missing


def name_of(node: Node) -> str:
    """The name in a plugin's value."""
    return str(node.at(["name"]).value)


def _plugin(registry: Registry, kind: str, node: Node, leaf: Leaf) -> Any:
    """A plugin's value with `leaf` applied to each scalar option, also inside lists, mappings and nested plugins."""
    if not isinstance(node.value, dict):
        return str(node.value)
    fragments = registry.find(kind, name_of(node)).cls.options_schema.get("properties", {})
    return {key: _option(registry, fragments.get(key, {}), option, leaf) for key, option in node.value.items()}


def _option(registry: Registry, fragment: Mapping[str, Any], node: Node, leaf: Leaf) -> Any:
    """An option's value with `leaf` applied to its scalars; `fragment` is its schema."""
    if (kind := kind_of(fragment)) and node.value is not None:
        return _plugin(registry, kind, node, leaf)
    fragment = met(fragment, node.plain() if isinstance(node.value, dict | list) else node.value)
    if isinstance(node.value, list):
        items = enumerate(node.value)
        return [_option(registry, item_schema(fragment, place), item, leaf) for place, item in items]
    if isinstance(node.value, dict):
        pairs = node.value.items()
        return {key: _option(registry, property_schema(fragment, key), item, leaf) for key, item in pairs}
    return leaf(fragment, node)


def _absolute(fragment: Mapping[str, Any], node: Node) -> Any:
    convert = _FORMATS.get(fragment.get("format", ""))
    return convert(node) if convert and isinstance(node.value, str) else node.value


def _path(node: Node) -> str:
    try:
        path = Path(node.value).expanduser()
    except RuntimeError:
        # A `~name` of nobody is a file's name like any other.
        path = Path(node.value)
    return str(node.mark.folder.absolute() / path) if node.mark.folder else str(node.value)


def _exists(path: str) -> bool:
    # `Path.exists` raises an error for a name that is too long.
    return os.path.exists(path)  # noqa: PTH110


def _path_or_hub(node: Node) -> str:
    path = _path(node)
    explicit = node.value.startswith(("/", "./", "../", "~"))
    return path if node.mark.folder and (explicit or _exists(path)) else str(node.value)


_FORMATS: Mapping[str, Callable[[Node], Any]] = {"path": _path, "path-or-hub": _path_or_hub}
