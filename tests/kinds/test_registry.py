"""The installed plugins, found by kind and name."""

import pytest
from plugged import backend, dataset, only

from benchspec import Dataset, PluginError
from benchspec.kinds.discovery import Entry, Origin
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry


def test_a_class_and_its_presets_are_found_by_name(module):
    schema = {"properties": {"rows": {"type": "integer"}}}
    cls = dataset("made", options_schema=schema, presets={"made-small": {"rows": 3}})
    registry = Registry.load([module("good", cls)])
    assert registry.names("dataset") == ["made", "made-small"]
    assert registry.find("dataset", "made-small").preset == {"rows": 3}
    assert registry.broken == []


def test_an_unknown_name_lists_the_installed_names_with_a_suggestion(module):
    names = [backend(name) for name in ("single", "ddp", "fsdp", "deepspeed")]
    registry = Registry.load([module("good", *names)])
    with pytest.raises(PluginError) as caught:
        registry.find("backend", "fspd")
    expected = "no backend is called 'fspd' (installed: ddp, deepspeed, fsdp, single); did you mean 'fsdp'?"
    assert str(caught.value) == expected


def test_a_name_that_resembles_none_gets_what_did_not_load_first_or_how_plugins_are_found(module):
    registry = Registry.load([module("good", backend("ddp"))])
    assert registry.unknown("backend", "acme").endswith("; install it again after a change")
    registry = Registry.load([module("good", backend("ddp")), module("bad", backend(None))])
    said = registry.unknown("backend", "acme")
    assert said.startswith("no backend is called 'acme'; not loaded: ") and said.endswith(" (installed: ddp)")


def test_every_module_that_did_not_load_is_named(module):
    broken = [module(f"bad{number}", backend(None)) for number in range(5)]
    assert all(f"bad{number}" in Registry.load(broken).unknown("backend", "acme") for number in range(5))


ACME, PLAIN = Origin("Benchspec_Acme 1.0", "benchspec_acme"), Origin("plain-rows 0.2", "plain_rows")


def entry(name, origin):
    return Entry("dataset", name, dataset(name), {}, origin)


def test_two_distributions_of_one_name_are_told_apart_by_distribution():
    registry = Registry([entry("rows", ACME), entry("rows", PLAIN), entry("y", PLAIN)])
    assert registry.names("dataset") == ["benchspec-acme:rows", "plain-rows:rows", "y"]
    assert registry.find("dataset", "benchspec-acme:rows").origin == ACME
    assert registry.find("dataset", "plain-rows:y") is registry.find("dataset", "y")
    assert registry.broken == [], "nothing is lost: each can be named"


def test_a_name_of_two_distributions_says_how_to_choose():
    registry = Registry([entry("rows", ACME), entry("rows", PLAIN)])
    with pytest.raises(PluginError) as caught:
        registry.find("dataset", "rows")
    assert str(caught.value) == (
        "the dataset 'rows' is installed more than once, by Benchspec_Acme 1.0 (benchspec_acme) and "
        "plain-rows 0.2 (plain_rows); write 'benchspec-acme:rows' or 'plain-rows:rows'"
    )


@pytest.mark.parametrize("wrong", ["benchspec_acme:rows", "benchspec-acm:rows"])
def test_a_wrong_distribution_gets_a_suggestion(wrong):
    registry = Registry([entry("rows", ACME), entry("rows", PLAIN)])
    assert registry.unknown("dataset", wrong).endswith("did you mean 'benchspec-acme:rows'?")


def test_a_wrong_name_that_several_packages_have_gets_a_suggestion():
    registry = Registry([entry("rows", ACME), entry("rows", PLAIN)])
    assert registry.unknown("dataset", "row").endswith("did you mean 'rows'?")


def test_a_class_that_two_modules_hand_on_is_one(module):
    cls = dataset("made")
    assert Registry.load([module("one", cls), module("other", cls)]).names("dataset") == ["made"]


def test_two_plugins_of_one_name_and_distribution_are_both_unusable_and_both_named(module):
    registry = Registry.load(
        [module("one", dataset("rows")), module("two", dataset("rows")), module("x", dataset("y"))]
    )
    assert registry.names("dataset") == ["y"]
    (broken,) = registry.broken
    assert "the dataset 'rows' is installed more than once" in broken.reason
    assert "(one)" in broken.reason and "(two)" in broken.reason and "rename or remove" in broken.reason
    with pytest.raises(PluginError, match="installed more than once"):
        registry.find("dataset", "rows")


def test_one_name_of_two_kinds_is_no_conflict(module):
    registry = Registry.load([module("both", dataset("same"), backend("same"))])
    assert registry.names("dataset") == registry.names("backend") == ["same"]


def test_nested_plugins_arrive_as_instances(module):
    inner = dataset("inner")
    outer = dataset("outer", options_schema={"properties": {"of": {"$ref": "#/$defs/dataset"}}})
    registry = Registry.load([module("good", inner, outer)])
    made = registry.create("dataset", {"name": "outer", "of": {"name": "inner"}})
    assert isinstance(made.options["of"], inner)


class Letters(Dataset):
    name = "letters"
    options_schema = {"properties": {"only": {"type": "string", "default": ""}}}
    presets = {"vowels": {"only": "aeiou"}}


class Two(Dataset):
    name = "two"
    options_schema = {
        "properties": {
            "first": {"$ref": "#/$defs/dataset"},
            "second": {"$ref": "#/$defs/dataset", "default": "vowels"},
            "seed": {"type": "integer", "default": 1},
        }
    }


def test_nested_plugins_of_every_depth_are_created_with_all_their_options():
    registry = only(Letters, Two)
    value = {"name": "two", "first": {"name": "two", "first": {"name": "letters", "only": "xyz"}, "seed": 2}}
    made = registry.create("dataset", completed(registry, "dataset", value))
    assert isinstance(made, Two) and made.options["seed"] == 1
    assert isinstance(made.options["second"], Letters) and made.options["second"].options == {"only": "aeiou"}
    inner = made.options["first"]
    assert isinstance(inner, Two) and inner.options["seed"] == 2
    assert inner.options["first"].options == {"only": "xyz"}


def test_a_nested_plugin_that_is_null_stays_none():
    made = only(Letters, Two).create("dataset", {"name": "two", "first": {"name": "letters"}, "second": None})
    assert made.options["second"] is None


def test_the_name_is_not_an_option():
    assert only(Letters).create("dataset", {"name": "letters", "only": "b"}).options == {"only": "b"}


def test_what_has_no_name_can_be_described_with_the_options_of_another_plugin():
    registry = Registry.load()
    assert "; or write {name: hf, path: meta/llama-7b}" in registry.unknown("model", "meta/llama-7b")
    assert "; or write {name: hf, path: ./checkpoint}" in registry.unknown("model", "./checkpoint")
    assert "or write" not in registry.unknown("model", "opt-126m")
    assert "; or write {name: alpaca, path: rows.json}" in registry.unknown("dataset", "rows.json")
    assert "; or write {name: custom, accelerators: 8," in registry.unknown("hardware", "my-server")
