"""A plugin that a spec names -> its options as plain values, each path in them absolute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchspec.kinds.options import kind_of
from benchspec.kinds.registry import Registry
from benchspec.spec.document import Node


def placed(registry: Registry, kind: str, node: Node) -> str | dict[str, Any]:
    """A plugin's value, a name or `{name, option…}`, with relative paths resolved against the file they stand in."""
    if not isinstance(node.value, dict):
        return str(node.value)
    fragments = _fragments(registry, kind, node)
    return {key: _placed(registry, fragments.get(key, {}), option) for key, option in node.value.items()}


def missing_files(registry: Registry, kind: str, node: Node) -> Iterator[Node]:
    """The options of format `path` that name nothing on this machine."""
    if isinstance(node.value, dict):
        yield from _missing_in(registry, _fragments(registry, kind, node), node)


def name_of(node: Node) -> str:
    """The name in a plugin's value."""
    return str(node.at(["name"]).value)


def _fragments(registry: Registry, kind: str, node: Node) -> Mapping[str, Any]:
    """The schemas of a plugin's options."""
    fragments: Mapping[str, Any] = registry.find(kind, name_of(node)).cls.options_schema.get("properties", {})
    return fragments


def _placed(registry: Registry, fragment: Mapping[str, Any], node: Node) -> Any:
    """An option's plain value; `fragment` is its schema."""
    if (kind := kind_of(fragment)) and node.value is not None:
        return placed(registry, kind, node)
    if isinstance(node.value, list):
        return [_placed(registry, fragment.get("items", {}), item) for item in node.value]
    if isinstance(node.value, dict):
        properties = fragment.get("properties", {})
        return {key: _placed(registry, properties.get(key, {}), item) for key, item in node.value.items()}
    convert = _FORMATS.get(fragment.get("format", ""))
    return convert(node) if convert and isinstance(node.value, str) else node.value


def _missing_in(registry: Registry, fragments: Mapping[str, Any], node: Node) -> Iterator[Node]:
    for key, option in node.value.items():
        yield from _missing(registry, fragments.get(key, {}), option)


def _missing(registry: Registry, fragment: Mapping[str, Any], node: Node) -> Iterator[Node]:
    """What an option names and is not there; `fragment` is its schema."""
    if (kind := kind_of(fragment)) and node.value is not None:
        yield from missing_files(registry, kind, node)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _missing(registry, fragment.get("items", {}), item)
    elif isinstance(node.value, dict):
        yield from _missing_in(registry, fragment.get("properties", {}), node)
    elif isinstance(node.value, str) and fragment.get("format") == "path" and not Path(_path(node)).exists():
        yield node


def _path(node: Node) -> str:
    path = Path(node.value).expanduser()
    return str(node.mark.folder.absolute() / path) if node.mark.folder else str(node.value)


def _path_or_hub(node: Node) -> str:
    path = _path(node)
    explicit = node.value.startswith(("/", "./", "../", "~"))
    return path if node.mark.folder and (explicit or Path(path).exists()) else str(node.value)


_FORMATS: Mapping[str, Callable[[Node], Any]] = {"path": _path, "path-or-hub": _path_or_hub}
