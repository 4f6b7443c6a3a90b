"""The spec's schema as editors use it: stricter where a YAML language server can then help, and never more lenient.

A language server offers what it finds in `properties` and `enum`, shows each `description`, and knows neither
benchspec's formats nor its axes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchspec.kinds.bases import CASE_KINDS, KINDS, SECTIONS
from benchspec.kinds.option_schema import UNITS
from benchspec.kinds.options import kind_of
from benchspec.kinds.registry import Registry
from benchspec.spec import schema
from benchspec.terms.units import DURATIONS, SIZES, example

Fragment = dict[str, Any]

#: a number whose digits are grouped: text to YAML 1.2, a number in a spec
_GROUPED = "[0-9]+(_[0-9]+)+"
#: keywords that hold values, not schemas
_VALUES = ("default", "enum", "const", "required")
_NUMBER = r"[0-9][0-9_]*(\.[0-9]+)?([eE][-+]?[0-9]+)?"


def for_editors(registry: Registry) -> Fragment:
    """The composed schema, with the schemas of axes, patterns in place of formats, and names to offer."""
    found = schema.compose(registry)
    definitions = found["$defs"]
    for kind in KINDS:
        _offer_names(definitions[kind])
    axes = dict(_axes(registry, definitions))
    # Below an option that takes any keys, or plugins of plugins of plugins, any path may exist.
    open_paths: dict[str, Fragment] = {
        f"^{re.escape(path)}\\.": {} for path, fragment in axes.items() if _is_open(path, fragment, axes)
    }
    definitions["axes"] = {
        "type": "object",
        "minProperties": 1,
        "properties": axes,
        "patternProperties": open_paths,
        "additionalProperties": False,
    }
    _set_axes(definitions["matrix"], axes, open_paths)
    definitions["quantity"]["pattern"] = f"^({_of_units(DURATIONS | SIZES)}|{_GROUPED})$"
    whole: Fragment = _explicit(found)
    return whole


def _offer_names(definition: Fragment) -> None:
    """Name each plugin once, where language servers look for completions and mark a wrong name."""
    names = definition["then"]["enum"]
    # DISTRIBUTION:NAME is correct, but only worth offering where the name alone means nothing.
    offered = [name for name in names if ":" not in name or name.split(":", 1)[1] not in names]
    others = "|".join(re.escape(name) for name in names if name not in offered)
    spellings = [{"enum": offered}, {"type": "string", "pattern": f"^({others})$"}]
    mapping = definition.pop("else")
    mapping["properties"]["name"] = {"description": "the plugin's name", "anyOf": spellings}
    definition |= {"anyOf": [*spellings, {"type": "object"}], "if": {"type": "object"}, "then": mapping}


def _set_axes(matrix: Fragment, axes: Mapping[str, Fragment], open_paths: Mapping[str, Fragment]) -> None:
    for key in ("include", "exclude"):
        matrix["properties"][key]["items"] = {"$ref": "#/$defs/axes"}
    for path, fragment in axes.items():
        matrix["properties"][path] = {
            "description": f"Axis: {fragment.get('description', path)}",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": f"#/$defs/axes/properties/{path}"},
        }
    matrix["patternProperties"] = {pattern: {"type": "array", "minItems": 1} for pattern in open_paths}
    matrix["additionalProperties"] = False


def _axes(registry: Registry, definitions: Mapping[str, Fragment]) -> Iterator[tuple[str, Fragment]]:
    """Every dotted path of a case's field, and the schema of its values; plugins of plugins to one level."""
    for kind in CASE_KINDS:
        yield kind, {"$ref": f"#/$defs/{kind}", "description": definitions[kind]["description"]}
        for path, fragment in _options(registry, definitions, kind, kind):
            yield path, fragment
            if of := kind_of(fragment):
                yield from _options(registry, definitions, of, path)
    for name in SECTIONS:
        yield name, {"$ref": f"#/$defs/{name}", "description": definitions[name]["description"]}
        yield from _inner(name, definitions[name])


def _options(
    registry: Registry, definitions: Mapping[str, Fragment], kind: str, path: str
) -> Iterator[tuple[str, Fragment]]:
    """The options of a kind's plugins; one that several classes have takes what any of them takes."""
    yield f"{path}.name", definitions[kind]["then"]["properties"]["name"]
    alike: dict[str, list[Fragment]] = {}
    for cls in dict.fromkeys(entry.cls for entry in registry.entries(kind)):
        for inner, fragment in _inner(path, cls.options_schema):
            if fragment not in alike.setdefault(inner, []):
                alike[inner].append(fragment)
    for inner, fragments in alike.items():
        one_kind = len({kind_of(fragment) for fragment in fragments}) == 1 and kind_of(fragments[0])
        yield inner, fragments[0] if len(fragments) == 1 or one_kind else _any_of(fragments)


def _inner(path: str, fragment: Mapping[str, Any]) -> Iterator[tuple[str, Fragment]]:
    for key, part in fragment.get("properties", {}).items():
        yield f"{path}.{key}", dict(part)
        yield from _inner(f"{path}.{key}", part)


def _is_open(path: str, fragment: Fragment, axes: Mapping[str, Fragment]) -> bool:
    """Whether paths below this one may exist that are not among the axes."""
    if "anyOf" in fragment:
        return any(_is_open(path, one, axes) for one in fragment["anyOf"])
    if kind_of(fragment):
        return f"{path}.name" not in axes
    return "object" in fragment.get("type", ()) and fragment.get("additionalProperties", True) is not False


def _any_of(fragments: list[Fragment]) -> Fragment:
    meanings = dict.fromkeys(one["description"] for one in fragments if "description" in one)
    return {"description": "; or ".join(meanings), "anyOf": fragments}


def _explicit(value: Any) -> Any:
    """Each schema with a pattern for its format's texts, and with text for numbers whose digits are grouped."""
    if isinstance(value, list):
        return [_explicit(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: item if key in _VALUES else _explicit(item) for key, item in value.items()}
    types = value.get("type")
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    if (units := UNITS.get(str(value.get("format", "")))) and "string" in names:
        said = f"Expected a number with a unit such as {example(units)} (units: {', '.join(units)})"
        found |= {"pattern": f"^({_of_units(units)}|{_GROUPED})$", "patternErrorMessage": said}
    elif {"integer", "number"} & set(names) and "string" not in names:
        said = f"Expected {' or '.join(names)}"
        found |= {"type": [*names, "string"], "pattern": f"^{_GROUPED}$", "patternErrorMessage": said}
    if "default" in value and value["default"] is None and "null" in names:
        # yaml-language-server takes a default for one of the first type, and fails to complete with a text of null.
        found["type"] = sorted(found["type"], key=lambda name: name != "null")
    return found


def _of_units(units: Mapping[str, float]) -> str:
    """A pattern for a number with one of these units, in upper or lower case; patterns here know no flags."""
    names = "|".join("".join(f"[{c.upper()}{c.lower()}]" for c in re.escape(unit)) for unit in units)
    return rf"\s*{_NUMBER}\s*({names})\s*"
