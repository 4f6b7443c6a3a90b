"""An `options_schema` and presets that cannot be used, and why."""

import pytest

from benchspec.kinds.bases import KINDS
from benchspec.kinds.fragments import problems

SECONDS = {"type": ["number", "string"], "format": "seconds"}


def option(fragment, **presets):
    """What is wrong with a schema of one option, `n`."""
    return list(problems({"properties": {"n": fragment}}, presets))


@pytest.mark.parametrize(
    "fragment",
    [
        {},
        {"type": "integer", "minimum": 1, "default": 3, "description": "how many"},
        {"type": ["integer", "null"], "default": None},
        {**SECONDS, "default": "15 min"},
        {"type": "string", "format": "seconds", "default": "15 min"},
        {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        {"type": "object", "properties": {"a": {"type": "number"}}, "additionalProperties": False, "default": {}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}], "default": "x"},
        {"anyOf": [{"type": "string", "format": "seconds"}, {"type": "null"}], "default": "5 min"},
        {"anyOf": [{"enum": ["auto"]}, {"type": ["number", "string"], "format": "size"}], "default": "auto"},
        {"x-unit": "rows", "default": 1},
        *({"$ref": f"#/$defs/{kind}", "default": "anything"} for kind in KINDS),
    ],
)
def test_what_can_be_used(fragment):
    assert option(fragment) == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"required": 3}, "has 'required': 3, which is not a list of names"),
        ({"required": "path"}, "has 'required': 'path', which is not a list of names"),
        ({"properties": {"path": {}}, "required": ["pth"]}, "'required' names what is no property: pth"),
        ({"properties": 3}, "has 'properties': 3, which is not a mapping"),
        ({"properties": {"name": {"type": "string"}}}, "the property 'name' is reserved"),
        ({"additionalProperties": 3}, "which is not true, false or a mapping"),
        (
            {"path": {"type": "string"}},
            "has 'path', which is no keyword of JSON schema; options stand under 'properties'",
        ),
        ({"propertys": {}}, "has 'propertys', which is no keyword of JSON schema; did you mean 'properties'?"),
    ],
)
def test_a_mistake_in_a_schema_as_a_whole(schema, problem):
    (found,) = problems(schema, {})
    assert found.startswith("options_schema: ") and problem in found


@pytest.mark.parametrize(
    ("fragment", "problem"),
    [
        ("string", "the property 'n' must be a mapping, not 'string'"),
        ({"type": "strng"}, "'n' has 'type': 'strng', which is not a type"),
        ({"type": []}, "'n' has 'type': []"),
        ({"enum": 3}, "'n' has 'enum': 3, which is not a list of values"),
        ({"enum": []}, "'n' has 'enum': []"),
        ({"items": True}, "'n' has 'items': True, which is not a mapping"),
        ({"minimum": "1"}, "'n' has 'minimum': '1', which is not a number"),
        ({"minLength": -1}, "'n' has 'minLength': -1"),
        ({"pattern": "("}, "'n' has 'pattern': '(', which is not a regular expression"),
        ({"format": 3}, "'n' has 'format': 3"),
        ({"anyOf": {"type": "string"}}, "'n' has 'anyOf': {'type': 'string'}, which is not a list of mappings"),
        ({"properties": {"a": {"enum": 3}}}, "'n.a' has 'enum': 3"),
        ({"items": {"type": "strng"}}, "'n' has 'type': 'strng'"),
        ({"anyOf": [{"type": "strng"}]}, "'n' has 'type': 'strng'"),
        ({"defualt": 3}, "'n' has 'defualt', which is no keyword of JSON schema; did you mean 'default'?"),
        ({"default": object()}, "must be JSON"),
        ({"default": float("nan")}, "must be JSON"),
        ({"$ref": "#/$defs/nope"}, "'n' refers to '#/$defs/nope'; only #/$defs/KIND can be referred to"),
    ],
)
def test_a_mistake_in_the_form_of_an_option(fragment, problem):
    (found,) = option(fragment)
    assert problem in found


PLUGIN = {"$ref": "#/$defs/dataset"}


@pytest.mark.parametrize(
    "fragment",
    [
        {"items": PLUGIN},
        {"properties": {"of": PLUGIN}},
        {"anyOf": [PLUGIN, {"type": "null"}]},
        {"oneOf": [{"type": "null"}, PLUGIN]},
        {"additionalProperties": PLUGIN},
        {"prefixItems": [PLUGIN]},
        {"patternProperties": {"^x": PLUGIN}},
        {"if": {"type": "string"}, "then": PLUGIN},
        {"items": {"properties": {"of": {"anyOf": [PLUGIN]}}}},
    ],
)
def test_a_plugin_inside_another_schema_is_refused(fragment):
    assert option(fragment) == [
        "options_schema: 'n' refers to a plugin inside another schema; only an option itself can be a plugin"
    ]


@pytest.mark.parametrize(
    ("fragment", "why"),
    [
        ({"type": "integer", "default": "three"}, "'three' is not of type 'integer'"),
        ({"enum": ["a", "b"], "default": "c"}, "'c' is not one of ['a', 'b']"),
        ({"type": "integer", "minimum": 1, "default": 0}, "0 is less than the minimum of 1"),
        ({"type": "string", "default": None}, "None is not of type 'string'"),
        ({**SECONDS, "default": "15 minits"}, "'15 minits' is not a number with a unit such as '15 min'"),
        ({**SECONDS, "minimum": 10, "default": "5 s"}, "5 is less than the minimum of 10"),
        ({"type": ["integer", "string"], "format": "size", "default": "lots"}, "'lots' is not a number with a unit"),
        ({"type": "array", "items": {"type": "integer"}, "default": [1, "b"]}, "'b' is not of type 'integer'"),
    ],
)
def test_a_default_that_its_own_schema_refuses(fragment, why):
    (found,) = option(fragment)
    assert found.startswith(f"options_schema: the default of 'n' is refused by its own schema: {why}")


def test_a_preset_that_the_schema_refuses():
    assert option({"type": "integer"}, few={"n": "three"}) == [
        "the preset 'few' sets 'n' to what its schema refuses: 'three' is not of type 'integer'"
    ]
    assert option({"type": "integer"}, few={"m": 3}) == ["the preset 'few' sets unknown options: m"]
