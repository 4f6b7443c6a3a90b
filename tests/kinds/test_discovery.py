"""Entry points -> plugin classes: what can be used, and the reason where something cannot."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from plugged import dataset

from benchspec import PluginError, hookimpl
from benchspec.kinds.registry import Registry


def test_a_class_that_cannot_be_used_is_listed_and_harms_no_other_class(module):
    registry = Registry.load([module("theirs", dataset("first"), dataset("../../evil"), dataset("last"))])
    (broken,) = registry.broken
    assert "'../../evil' is not a valid name" in broken.reason and broken.origin.module == "theirs"
    assert registry.names("dataset") == ["first", "last"]


def test_a_module_that_fails_to_import_affects_only_specs_that_name_it(module):
    registry = Registry.load([EntryPoint("gone", "no_such_module", "benchspec"), module("good", dataset("fine"))])
    assert registry.names("dataset") == ["fine"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in str(registry.broken[0])
    with pytest.raises(PluginError, match=r"not loaded: .*No module named 'no_such_module'"):
        registry.find("dataset", "theirs")


def test_an_exception_while_a_module_is_imported_comes_with_its_file_and_line(installed):
    site = installed("hasty", "import math\n\nmath.sqrt(-1)\n")
    (broken,) = Registry.load([EntryPoint("hasty", "hasty", "benchspec")]).broken
    assert broken.reason == f"ValueError: math domain error ({site / 'hasty.py'}:3)"


HOOK = """
    from benchspec import Dataset, hookimpl

    @hookimpl
    def benchspec_register():
        %s
    """


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("pass", "benchspec_register() returned None, not a list of plugin classes"),
        ("return Dataset", "benchspec_register() returned <class 'benchspec.kinds.bases.Dataset'>, not a list"),
        ("return {'rows': 1}", "benchspec_register() returned {'rows': 1}, not a list"),
        ("return undefined", "NameError: name 'undefined' is not defined"),
    ],
)
def test_a_hook_that_returns_no_list_is_reported_with_file_and_line(installed, body, reason):
    site = installed("hooked", HOOK % body)
    (broken,) = Registry.load([EntryPoint("hooked", "hooked", "benchspec")]).broken
    assert broken.reason.startswith(reason)
    assert f"({site / 'hooked.py'}:" in broken.reason


def test_what_a_hook_returns_that_is_no_class_harms_no_other(module):
    registry = Registry.load([module("odd", {"rows": 1}, dataset("made"))])
    assert registry.names("dataset") == ["made"]
    assert "returned {'rows': 1}, which is not a subclass" in registry.broken[0].reason


def test_a_hook_that_makes_instances_is_told_to_return_classes(installed):
    installed(
        "maker",
        "from benchspec import Reporter, hookimpl\n\n@hookimpl\ndef benchspec_register():\n    return [Reporter()]\n",
    )
    (broken,) = [each for each in Registry.load().broken if each.origin.module == "maker"]
    assert broken.reason.endswith("maker.py:5); benchspec_register returns classes, and no instances")


def test_a_hook_may_be_a_method_of_an_object_that_an_entry_point_names(monkeypatch):
    class Held:
        @hookimpl
        def benchspec_register(self):
            return [dataset("held")]

    found = ModuleType("holding")
    found.held = Held()
    monkeypatch.setitem(sys.modules, "holding", found)
    assert Registry.load([EntryPoint("held", "holding:held", "benchspec")]).has("dataset", "held")


def test_a_misspelt_hook_is_reported(module):
    registry = Registry.load([module("typo", dataset("x"), hook="benchspec_regster")])
    assert "marked: benchspec_regster; did you mean 'benchspec_register'?" in registry.broken[0].reason


def test_a_module_without_a_hook_is_reported(monkeypatch):
    found = ModuleType("bare")
    found.benchspec_register = lambda: []
    monkeypatch.setitem(sys.modules, "bare", found)
    (broken,) = Registry.load([EntryPoint("bare", "bare", "benchspec")]).broken
    assert broken.reason == "no function called benchspec_register is marked with @hookimpl"
    found.benchspec_register = hookimpl(found.benchspec_register)
    assert Registry.load([EntryPoint("bare", "bare", "benchspec")]).broken == []


def test_two_entry_points_of_one_name_are_both_read(module):
    points = [EntryPoint("same", module(name, dataset(name)).value, "benchspec") for name in ("first", "second")]
    assert Registry.load(points).names("dataset") == ["first", "second"]


def test_the_first_party_plugins_all_load():
    assert Registry.load().broken == []


@pytest.mark.parametrize("value", ["not a module!", "", "acme:Rows:", "1"])
def test_an_entry_point_that_names_no_module_is_listed_and_harms_no_other(module, value):
    registry = Registry.load([EntryPoint("odd", value, "benchspec"), module("good", dataset("fine"))])
    assert registry.names("dataset") == ["fine"]
    assert len(registry.broken) == 1


def test_an_entry_point_of_something_that_is_no_module_says_so(module):
    (broken,) = Registry.load([EntryPoint("odd", "os:system", "benchspec")]).broken
    assert broken.reason == "an entry point names a module: write os, not os:system"


def test_a_modules_other_objects_are_asked_nothing(monkeypatch):
    """Such as an application's proxy of a request, outside of one."""

    class Proxy:
        def __getattr__(self, name):
            raise RuntimeError("outside of a request")

    found = ModuleType("served")
    found.request = Proxy()
    found.benchspec_register = hookimpl(lambda: [dataset("served")])
    found.benchspec_register.__name__ = "benchspec_register"
    monkeypatch.setitem(sys.modules, "served", found)
    registry = Registry.load([EntryPoint("served", "served", "benchspec")])
    assert registry.has("dataset", "served"), registry.broken
    del found.benchspec_register
    (broken,) = Registry.load([EntryPoint("served", "served", "benchspec")]).broken
    assert broken.reason == "no function called benchspec_register is marked with @hookimpl"
