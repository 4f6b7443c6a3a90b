"""Options of plugins: completed with defaults, presets and units, or only those given."""

import pytest
from plugged import dataset, only

from benchspec import PluginError
from benchspec.kinds.options import as_given, completed, converted, nested_kinds, section

ROWS = dataset(
    "rows",
    options_schema={
        "properties": {
            "count": {"type": "integer", "default": 10},
            "wait": {"type": ["number", "string"], "format": "seconds", "default": "1 min"},
            "cache": {"type": ["integer", "string", "null"], "format": "size"},
        }
    },
    presets={"few-rows": {"count": 3, "wait": "2 h"}},
)
MIXED = dataset(
    "mixed",
    options_schema={
        "properties": {
            "of": {"$ref": "#/$defs/dataset"},
            "beside": {"$ref": "#/$defs/dataset", "default": "rows"},
            "share": {"type": "number", "default": 0.5},
        }
    },
    presets={"mixed-few": {"of": {"name": "few-rows", "count": 4}}},
)
REGISTRY = only(ROWS, MIXED)
DEFAULTS = {"name": "rows", "count": 10, "wait": 60}


def whole(value):
    return completed(REGISTRY, "dataset", value)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("rows", DEFAULTS),
        ({"name": "rows"}, DEFAULTS),
        ({"name": "rows", "count": 5}, {**DEFAULTS, "count": 5}),
        ("few-rows", {"name": "few-rows", "count": 3, "wait": 7200}),
        ({"name": "few-rows", "wait": 1}, {"name": "few-rows", "count": 3, "wait": 1}),
        ({"name": "rows", "wait": "15 min", "cache": "2 GiB"}, {**DEFAULTS, "wait": 900, "cache": 2**31}),
        ({"name": "rows", "cache": None}, {**DEFAULTS, "cache": None}),
    ],
)
def test_a_given_option_overrides_a_preset_and_a_preset_a_default(value, options):
    assert whole(value) == options


def test_a_nested_plugin_is_completed_whether_it_is_given_or_a_default():
    assert whole({"name": "mixed", "of": "few-rows"}) == {
        "name": "mixed",
        "of": {"name": "few-rows", "count": 3, "wait": 7200},
        "beside": DEFAULTS,
        "share": 0.5,
    }


def test_a_nested_plugin_may_come_from_a_preset_or_be_null():
    found = whole({"name": "mixed-few", "beside": None})
    assert (found["of"], found["beside"]) == ({"name": "few-rows", "count": 4, "wait": 7200}, None)


def test_plugins_may_be_nested_to_any_depth():
    found = whole({"name": "mixed", "of": {"name": "mixed", "of": {"name": "rows", "wait": "3 s"}}})
    assert found["of"]["of"] == {**DEFAULTS, "wait": 3}
    assert found["of"]["beside"] == DEFAULTS


def test_completing_changes_neither_the_given_value_nor_the_preset():
    said = {"name": "mixed-few", "of": {"name": "rows"}}
    whole(said)
    assert said == {"name": "mixed-few", "of": {"name": "rows"}}
    assert MIXED.presets == {"mixed-few": {"of": {"name": "few-rows", "count": 4}}}


@pytest.mark.parametrize("value", ["rowz", {"name": "mixed", "of": "rowz"}, {"name": "mixed", "of": {"name": "rowz"}}])
def test_an_unknown_name_is_an_error_at_any_depth(value):
    for of in (completed, as_given):
        with pytest.raises(PluginError, match=r"no dataset is called 'rowz' .*; did you mean 'rows'\?"):
            of(REGISTRY, "dataset", value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("few-rows", {"name": "few-rows"}),
        ({"name": "rows", "wait": "15 min"}, {"name": "rows", "wait": "15 min"}),
        ({"name": "mixed", "of": "rows"}, {"name": "mixed", "of": {"name": "rows"}}),
        (
            {"name": "mixed", "of": {"name": "mixed", "of": "few-rows"}, "beside": None},
            {"name": "mixed", "of": {"name": "mixed", "of": {"name": "few-rows"}}, "beside": None},
        ),
    ],
)
def test_as_given_is_a_mapping_of_the_given_options_only(value, said):
    assert as_given(REGISTRY, "dataset", value) == said


TEXT = {"type": "string"}
EITHER = {"oneOf": [
    {"type": "object", "properties": {"kind": {"const": "a"}, "wait": {"default": 1}}},
    {"type": "object", "properties": {"kind": {"const": "b"}, "size": {"format": "size"}}},
]}  # fmt: skip
BOTH = {"allOf": [{"properties": {"wait": {"format": "seconds"}}}, {"properties": {"size": {"format": "size"}}}]}
COUNT = {"type": ["integer", "null"]}
LIMITS = {"properties": {"wait": {"format": "seconds", "default": "1 min"}, "most": {"type": "integer", "default": 5}}}


@pytest.mark.parametrize(
    ("fragment", "value", "plain"),
    [
        (COUNT, 1e3, 1000),
        (COUNT, 7, 7),
        (COUNT, None, None),
        ({"type": ["integer", "number"]}, 1.5, 1.5),
        ({"type": "number"}, 1.0, 1.0),
        ({"type": "string"}, "15 min", "15 min"),
        ({"format": "seconds"}, "15 min", 900),
        ({"format": "seconds"}, 15, 15),
        ({"format": "size"}, "1 KiB", 1024),
        ({"items": {"format": "seconds"}}, ["1 min", 2], [60, 2]),
        (LIMITS, {}, {"wait": 60, "most": 5}),
        (LIMITS, {"wait": "1 h", "most": 2.0}, {"wait": 3600, "most": 2}),
        ({"items": LIMITS}, [{"most": 1}], [{"wait": 60, "most": 1}]),
        ({}, {"free": [1, "x"]}, {"free": [1, "x"]}),
        ({"anyOf": [{"enum": ["auto"]}, {**TEXT, "format": "size"}]}, "auto", "auto"),
        ({"anyOf": [{"enum": ["auto"]}, {**TEXT, "format": "size"}]}, "1 KiB", 1024),
        (EITHER, {"kind": "a"}, {"kind": "a", "wait": 1}),
        (EITHER, {"kind": "b", "size": "1 KiB"}, {"kind": "b", "size": 1024}),
        (BOTH, {"wait": "1 min", "size": "1 KiB"}, {"wait": 60, "size": 1024}),
        ({"prefixItems": [{"format": "size"}], "items": {"format": "seconds"}}, ["1 KiB", "1 min"], [1024, 60]),
        ({"additionalProperties": {"format": "size"}}, {"any": "1 KiB"}, {"any": 1024}),
    ],
)
def test_a_value_is_converted_as_its_schema_says(fragment, value, plain):
    found = converted(fragment, value)
    assert found == plain and type(found) is type(plain)


def test_a_section_has_every_field():
    definition = {"properties": {"wait": {"format": "seconds"}, "steps": {"default": 3}, "limits": LIMITS}}
    assert section(definition, {}) == {"wait": None, "steps": 3, "limits": None}
    given = {"wait": "1 h", "limits": {"most": 1}}
    assert section(definition, given) == {"wait": 3600, "steps": 3, "limits": {"wait": 60, "most": 1}}


def test_the_schema_shows_which_options_are_plugins():
    assert nested_kinds(MIXED.options_schema) == {"of": "dataset", "beside": "dataset"}
    assert nested_kinds({}) == {}
