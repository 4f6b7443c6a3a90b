import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from benchspec import Backend, Dataset, PluginError, hookimpl
from benchspec.kinds.registry import Registry


@pytest.fixture
def module(monkeypatch):
    """Makes an importable module of a `benchspec_register` that returns the given classes."""

    def make(name, *classes, hook="benchspec_register"):
        found = ModuleType(name)

        def register():
            return list(classes)

        setattr(found, hook, hookimpl(register))
        monkeypatch.setitem(sys.modules, name, found)
        return EntryPoint(name, name, "benchspec")

    return make


def dataset(name, **attributes):
    return type("Rows", (Dataset,), {"name": name, "__doc__": "Rows.", **attributes})


def test_a_class_and_its_presets_are_found_by_name(module):
    schema = {"properties": {"rows": {"type": "integer"}}}
    cls = dataset("made", options_schema=schema, presets={"made-small": {"rows": 3}})
    registry = Registry.load([module("good", cls)])
    assert registry.names("dataset") == ["made", "made-small"]
    assert registry.find("dataset", "made-small").preset == {"rows": 3}
    assert registry.broken == []


def test_an_unknown_name_says_what_there_is_and_what_may_be_meant(module):
    names = [type("B", (Backend,), {"name": name}) for name in ("single", "ddp", "fsdp", "deepspeed")]
    registry = Registry.load([module("good", *names)])
    with pytest.raises(PluginError) as caught:
        registry.find("backend", "fspd")
    expected = "no backend is called 'fspd' (installed: ddp, deepspeed, fsdp, single); did you mean 'fsdp'?"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (int, "which is no subclass of Dataset, Model"),
        (dataset(None), "the class Rows has no name"),
        (dataset("x", presets={"y": {"size": 1}}), "the preset 'y' of Rows sets unknown options: size"),
        (dataset("x", options_schema={"properties": {"n": {"type": "strng"}}}), "'n' has the unknown type 'strng'"),
        (dataset("x", options_schema={"properties": {"n": "string"}}), "the property 'n' is no mapping"),
        (dataset("x", options_schema={"properties": {"n": {"default": object()}}}), "it is not JSON"),
        (dataset("x", options_schema={"properties": {"n": {"default": float("nan")}}}), "it is not JSON"),
        (dataset("x", options_schema={"properties": {"n": {"$ref": "#/$defs/nope"}}}), "refers to '#/$defs/nope'"),
        (dataset("x", options_schema={"properties": {"n": {"pattern": "("}}}), "has a pattern that is none"),
        (dataset("x", options_schema={"properties": {"name": {"type": "string"}}}), "the property 'name' is taken"),
        (dataset("x", options_schema=5), "must be mappings"),
        (dataset("../../evil"), "'../../evil' is no name"),
    ],
)
def test_a_class_that_cannot_be_used_is_listed_with_the_reason(module, cls, reason):
    registry = Registry.load([module("bad_module", cls), module("good", dataset("fine"))])
    (broken,) = registry.broken
    assert reason in broken.reason and broken.origin.module == "bad_module"
    assert registry.names("dataset") == ["fine"]


def test_a_module_that_does_not_import_hurts_only_who_names_it(module):
    registry = Registry.load([EntryPoint("gone", "no_such_module", "benchspec"), module("good", dataset("fine"))])
    assert registry.names("dataset") == ["fine"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in str(registry.broken[0])
    with pytest.raises(PluginError, match=r"not loaded .*no_such_module"):
        registry.find("dataset", "theirs")


def test_a_misspelt_hook_is_not_passed_over(module):
    registry = Registry.load([module("typo", dataset("x"), hook="benchspec_regster")])
    assert "marked: benchspec_regster; did you mean 'benchspec_register'?" in registry.broken[0].reason


def test_two_plugins_of_one_name_are_both_unusable_and_both_named(module):
    registry = Registry.load(
        [module("one", dataset("rows")), module("two", dataset("rows")), module("x", dataset("y"))]
    )
    assert registry.names("dataset") == ["y"]
    with pytest.raises(PluginError) as caught:
        registry.find("dataset", "rows")
    assert "the dataset 'rows' is there more than once" in str(caught.value)
    assert "(one)" in str(caught.value) and "(two)" in str(caught.value)


def test_one_name_of_two_kinds_is_no_conflict(module):
    backend = type("B", (Backend,), {"name": "same"})
    registry = Registry.load([module("both", dataset("same"), backend)])
    assert registry.names("dataset") == registry.names("backend") == ["same"]


def test_two_entry_points_of_one_name_are_both_read(module):
    points = [EntryPoint("same", module(name, dataset(name)).value, "benchspec") for name in ("first", "second")]
    assert Registry.load(points).names("dataset") == ["first", "second"]


def test_nested_plugins_arrive_as_instances(module):
    inner = dataset("inner")
    outer = dataset("outer", options_schema={"properties": {"of": {"$ref": "#/$defs/dataset"}}})
    registry = Registry.load([module("good", inner, outer)])
    made = registry.create("dataset", {"name": "outer", "of": {"name": "inner"}})
    assert isinstance(made.options["of"], inner)


def test_the_first_party_plugins_all_load():
    assert Registry.load().broken == []
