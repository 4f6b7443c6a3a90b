"""The schemas that `benchspec schema` prints, as an editor uses them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from benchspec import Dataset, Reporter
from benchspec.cli import cli
from benchspec.kinds.bases import KINDS
from benchspec.kinds.discovery import Entry, Origin
from benchspec.kinds.registry import Registry
from benchspec.spec import schema, yaml12

ROOT = Path(__file__).parents[2]
SPECS = sorted(ROOT.glob("specs/*.yaml"))
SMALL = {
    "benchspec": 1,
    "name": "small",
    "experiments": {"one": {"model": "opt-tiny", "dataset": {"name": "synthetic", "rows": 8}}},
}
ORIGIN = Origin("a package", "a module")


def printed(name):
    return json.loads(CliRunner().invoke(cli, ["schema", name], catch_exceptions=False).stdout)


def plain(file):
    """A spec as plain data, its YAML read as benchspec reads it."""
    return yaml12.read(file, file.name).plain()


def at(path, value):
    """The small spec with a value set at a dotted path."""
    spec = json.loads(json.dumps(SMALL))
    *parents, last = path.split(".")
    inner = spec
    for key in parents:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return spec


def said(spec, composed):
    """The places of what is wrong with a spec, as dotted paths."""
    errors = Draft202012Validator(composed).iter_errors(spec)
    return [".".join(map(str, error.absolute_path)) for error in errors]


@pytest.mark.parametrize("name", ["spec", "result", "event"])
def test_a_printed_schema_is_draft_2020_12(name):
    found = printed(name)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(found)


@pytest.mark.parametrize("name", ["result", "event"])
def test_schemas_without_plugins_are_printed_as_they_are_committed(name):
    assert printed(name) == json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_the_printed_and_the_committed_schema_accept_our_specs(file):
    committed = json.loads((ROOT / "schemas" / "spec.schema.json").read_text())
    for accepting in (printed("spec"), committed):
        assert said(plain(file), accepting) == []


def test_the_printed_schema_holds_every_installed_plugin_with_its_options():
    composed = printed("spec")
    for entry in Registry.load().entries():
        definition = composed["$defs"][entry.kind]
        assert entry.name in definition["anyOf"][0]["enum"]
        options = [
            one["then"]["properties"]
            for one in definition["then"]["allOf"]
            if entry.name in one["if"]["properties"]["name"]["enum"]
        ]
        assert len(options) == 1 and set(entry.cls.options_schema.get("properties", {})) <= set(options[0])


@pytest.mark.parametrize(
    "value",
    ["synthetic", {"name": "synthetic", "rows": 5}, {"name": "resampled", "of": {"name": "synthetic"}, "rows": 9}],
)
def test_a_plugin_is_a_name_or_a_mapping_with_its_options(value):
    assert said(at("experiments.one.dataset", value), printed("spec")) == []


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("trian", {}, ""),
        ("defaults.trian", {}, "defaults"),
        ("defaults.train.epoch", 1, "defaults.train"),
        ("experiments.one.dataset", {"name": "synthetic", "row": 5}, "experiments.one.dataset"),
        ("experiments.one.dataset", {"name": "synthetic", "rows": "five"}, "experiments.one.dataset.rows"),
        ("experiments.one.dataset", {"rows": 5}, "experiments.one.dataset"),
        ("experiments.one.dataset", "synthetics", "experiments.one.dataset"),
        ("experiments.one.dataset", {"name": "resampled", "of": "synthetics"}, "experiments.one.dataset.of"),
        (
            "experiments.one.dataset",
            {"name": "resampled", "of": {"name": "synthetic", "row": 5}},
            "experiments.one.dataset.of",
        ),
        ("experiments.one.backend", {"name": "fsdp", "stage": 3}, "experiments.one.backend"),
        ("experiments.one.launcher", {"name": "torchrun", "processes": 0}, "experiments.one.launcher.processes"),
        ("hardware", {"name": "auto", "accelerators": 8}, "hardware"),
        ("report", [{"name": "table", "file": "x"}], "report.0"),
    ],
)
def test_an_editor_marks_what_is_wrong(path, value, place):
    assert set(said(at(path, value), printed("spec"))) == {place}


class Files(Dataset):
    """Rows of a file."""

    name = "files"
    options_schema = {"properties": {"path": {"type": "string"}, "rows": {"type": "integer"}}, "required": ["path"]}
    presets = {"this-file": {"path": "this"}}


class Mixed(Dataset):
    """Rows of another."""

    name = "mixed"
    options_schema = {"properties": {"of": {"$ref": "#/$defs/dataset"}}, "required": ["of"]}


class Posted(Reporter):
    """A report that is sent somewhere."""

    name = "posted"
    options_schema = {"properties": {"to": {"type": "string"}}, "required": ["to"]}


def composed_of(*classes, whole):
    entries = [Entry(cls.kind, name, cls, preset, ORIGIN) for cls in classes for name, preset in named(cls).items()]
    return schema.compose(Registry(entries), whole=whole)


def named(cls):
    return {cls.name: {}, **cls.presets}


def wanting(value, whole, kind="dataset"):
    """The messages about a plugin's value."""
    check = schema.validator(composed_of(Files, Mixed, Posted, whole=whole), kind)
    return [error.message for error in check.iter_errors(value)]


@pytest.mark.parametrize("value", [{"name": "files"}, {"name": "mixed", "of": {"name": "files"}}])
def test_required_options_are_demanded_of_whole_cases_only(value):
    assert wanting(value, whole=False) == []  # a matrix may be what gives them
    assert wanting(value, whole=True) == ["'path' is a required property"]


def test_a_preset_may_be_what_gives_a_required_option():
    assert wanting({"name": "this-file"}, whole=True) == []


def test_required_options_of_what_no_matrix_can_give_are_always_demanded():
    assert wanting({"name": "posted"}, whole=False, kind="reporter") == ["'to' is a required property"]


def test_a_reporter_has_a_path_beside_its_own_options():
    assert wanting({"name": "posted", "to": "me", "path": "report.txt"}, whole=True, kind="reporter") == []


def test_every_kind_can_be_named_even_where_no_plugin_of_it_is_installed():
    composed = composed_of(Files, whole=False)
    Draft202012Validator.check_schema(composed)
    assert set(KINDS) <= set(composed["$defs"])
    assert said(at("experiments.one.model", "opt-tiny"), composed) != []
