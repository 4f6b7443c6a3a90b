"""Entry points -> plugin classes: what can be used, and the reason where something cannot."""

from importlib.metadata import EntryPoint

import pytest
from plugged import dataset

from benchspec import PluginError
from benchspec.kinds.registry import Registry


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (int, "which is not a subclass of Dataset, Model"),
        (dataset(None), "the class Rows has no name"),
        (dataset("x", presets={"y": {"size": 1}}), "the preset 'y' of Rows sets unknown options: size"),
        (dataset("x", options_schema={"properties": {"n": {"type": "strng"}}}), "'n' has the unknown type 'strng'"),
        (dataset("x", options_schema={"properties": {"n": "string"}}), "the property 'n' must be a mapping"),
        (dataset("x", options_schema={"properties": {"n": {"default": object()}}}), "is not JSON"),
        (dataset("x", options_schema={"properties": {"n": {"default": float("nan")}}}), "is not JSON"),
        (
            dataset("x", options_schema={"properties": {"n": {"items": {"$ref": "#/$defs/dataset"}}}}),
            "'n' refers to a plugin inside a list or a mapping",
        ),
        (dataset("x", options_schema={"properties": {"n": {"$ref": "#/$defs/nope"}}}), "refers to '#/$defs/nope'"),
        (
            dataset("x", options_schema={"properties": {"n": {"pattern": "("}}}),
            "has a pattern that is not a regular expression",
        ),
        (dataset("x", options_schema={"properties": {"name": {"type": "string"}}}), "the property 'name' is reserved"),
        (dataset("x", options_schema=5), "must be mappings"),
        (dataset("../../evil"), "'../../evil' is not a valid name"),
    ],
)
def test_a_class_that_cannot_be_used_is_listed_with_the_reason(module, cls, reason):
    registry = Registry.load([module("bad_module", cls), module("good", dataset("fine"))])
    (broken,) = registry.broken
    assert reason in broken.reason and broken.origin.module == "bad_module"
    assert registry.names("dataset") == ["fine"]


def test_a_module_that_fails_to_import_affects_only_specs_that_name_it(module):
    registry = Registry.load([EntryPoint("gone", "no_such_module", "benchspec"), module("good", dataset("fine"))])
    assert registry.names("dataset") == ["fine"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in str(registry.broken[0])
    with pytest.raises(PluginError, match=r"not loaded .*no_such_module"):
        registry.find("dataset", "theirs")


def test_a_misspelt_hook_is_reported(module):
    registry = Registry.load([module("typo", dataset("x"), hook="benchspec_regster")])
    assert "marked: benchspec_regster; did you mean 'benchspec_register'?" in registry.broken[0].reason


def test_two_entry_points_of_one_name_are_both_read(module):
    points = [EntryPoint("same", module(name, dataset(name)).value, "benchspec") for name in ("first", "second")]
    assert Registry.load(points).names("dataset") == ["first", "second"]


def test_the_first_party_plugins_all_load():
    assert Registry.load().broken == []
