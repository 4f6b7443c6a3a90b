"""A plugin's options in a spec: which are paths, and which folder a relative path starts from."""

from pathlib import Path

import pytest
from plugged import beside
from small import replaced

from benchspec import Dataset, load, plan
from benchspec.cases import check
from benchspec.cases.expand import expand


def test_relative_paths_start_from_the_file_that_contains_them(write, tmp_path, monkeypatch):
    write("[]", "parts/rows.json")
    write("defaults: {dataset: {name: alpaca, path: rows.json}}", "parts/base.yaml")
    text = "benchspec: 1\nname: x\ninclude: [parts/base.yaml]\nexperiments: {one: {model: opt-tiny}}\n"
    file = write(text)
    monkeypatch.chdir(tmp_path.parent)
    (case,) = plan(load(file))
    assert case.dataset["path"] == str(tmp_path / "parts" / "rows.json")
    (case,) = plan(load(file, ["defaults.dataset.path=here.json"]))
    assert case.dataset["path"] == str(Path.cwd() / "here.json")


def test_a_hub_name_stays_one_unless_such_a_folder_is_there(write, tmp_path):
    (tmp_path / "local" / "opt").mkdir(parents=True)
    text = replaced("opt-tiny", "{name: hf, path: %s}")
    assert plan(load(write(text % "facebook/opt-125m")))[0].model["path"] == "facebook/opt-125m"
    assert plan(load(write(text % "local/opt")))[0].model["path"] == str(tmp_path / "local" / "opt")


def test_missing_data_is_reported_separately_from_mistakes(write):
    expansion = expand(load(write(replaced("{name: synthetic, rows: 100}", "{name: alpaca, path: gone.json}"))))
    assert expansion.problems == []
    assert "gone.json' does not exist" in str(check.missing(expansion)[0])


def test_the_home_of_nobody_is_a_file_that_does_not_exist(write):
    expansion = expand(
        load(write(replaced("{name: synthetic, rows: 100}", "{name: alpaca, path: '~nobody-x/a.json'}")))
    )
    assert "'~nobody-x/a.json' does not exist" in str(check.missing(expansion)[0])


class Files(Dataset):
    name = "files"
    options_schema = {
        "properties": {
            "path": {"type": ["string", "null"], "format": "path", "default": "data/of-the-plugin.json"},
            "paths": {"type": "array", "items": {"type": "string", "format": "path"}},
            "splits": {
                "type": "object",
                "properties": {
                    "train": {"type": "string", "format": "path"},
                    "rest": {"type": "array", "items": {"type": "string", "format": "path"}},
                    "label": {"type": "string"},
                },
            },
            "by_name": {"type": "object", "additionalProperties": {"type": "string", "format": "path"}},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string", "format": "path"}],
                "items": {"anyOf": [{"type": "null"}, {"oneOf": [{"type": "string", "format": "path"}]}]},
            },
            "of": {"$ref": "#/$defs/dataset"},
            "tokens": {"type": "string", "format": "path-or-hub"},
        }
    }
    presets = {"packaged": {"path": "data/of-the-preset.json"}}


def planned(file, *sets):
    (case,) = plan(load(file, sets, beside(Files)))
    return case.dataset


def missing(file):
    found = check.missing(expand(load(file, registry=beside(Files))))
    return [str(one).replace(f"{file.parent}/", "") for one in found]


def test_paths_are_resolved_in_lists_objects_and_nested_plugins(write, tmp_path):
    found = planned(
        write(
            replaced(
                "{name: synthetic, rows: 100}",
                "{name: files, paths: [a.json, sub/b.json], splits: {train: t.json, rest: [r.json], label: l.json}, "
                "of: {name: files, path: deep.json, of: {name: files, paths: [deeper.json]}}}",
            )
        )
    )
    assert found["paths"] == [str(tmp_path / "a.json"), str(tmp_path / "sub/b.json")]
    assert found["splits"] == {"train": str(tmp_path / "t.json"), "rest": [str(tmp_path / "r.json")], "label": "l.json"}
    assert found["of"]["path"] == str(tmp_path / "deep.json")
    assert found["of"]["of"]["paths"] == [str(tmp_path / "deeper.json")]


def test_paths_are_resolved_wherever_a_schema_may_say_that_they_are_paths(write, tmp_path):
    asked = "{name: files, by_name: {a: a.json}, pair: [b.json, null, c.json]}"
    found = planned(write(replaced("{name: synthetic, rows: 100}", asked)))
    assert found["by_name"] == {"a": str(tmp_path / "a.json")}
    assert found["pair"] == [str(tmp_path / "b.json"), None, str(tmp_path / "c.json")]


def test_each_path_starts_from_the_file_that_contains_it(write, tmp_path, monkeypatch):
    """Also where an include gives one part of a plugin's options, the spec another, and `--set` a third."""
    write("defaults: {dataset: {name: files, paths: [a.json], of: {name: files, path: x.json}}}", "parts/base.yaml")
    file = write(
        "benchspec: 1\nname: x\ninclude: [parts/base.yaml]\ndefaults: {dataset: {of: {paths: [b.json]}}}\n"
        "experiments: {one: {model: opt-tiny}}\n",
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = planned(file, "defaults.dataset.splits.train=c.json")
    assert found["paths"] == [str(tmp_path / "parts/a.json")]
    assert found["of"]["path"] == str(tmp_path / "parts/x.json")
    assert found["of"]["paths"] == [str(tmp_path / "b.json")]
    assert found["splits"]["train"] == str(tmp_path / "elsewhere/c.json")


def test_absolute_and_home_paths_do_not_depend_on_the_file(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = planned(write(replaced("{name: synthetic, rows: 100}", "{name: files, paths: [/data/a.json, ~/b.json]}")))
    assert found["paths"] == ["/data/a.json", str(tmp_path / "home/b.json")]


@pytest.mark.parametrize(
    ("name", "path"), [("files", "data/of-the-plugin.json"), ("packaged", "data/of-the-preset.json")]
)
def test_a_plugins_own_paths_are_left_to_the_plugin(write, name, path):
    file = write(replaced("{name: synthetic, rows: 100}", name))
    assert planned(file)["path"] == path and missing(file) == []


@pytest.mark.parametrize(
    ("said", "resolved"),
    [("acme/tokens", False), ("here", True), ("./gone", True), ("../gone", True), ("gone", False)],
)
def test_a_path_or_hub_name_is_a_path_if_it_exists_or_looks_like_one(write, tmp_path, said, resolved):
    (tmp_path / "here").mkdir()
    found = planned(write(replaced("{name: synthetic, rows: 100}", f"{{name: files, tokens: {said}}}")))
    assert found["tokens"] == (str(tmp_path / said) if resolved else said)


def test_all_missing_files_are_found_with_their_places(write):
    write("[]", "there.json")
    text = """\
    dataset:
      name: files
      path: gone.json
      paths: [there.json, lost.json]
      splits: {train: there.json, rest: [left.json], label: no-path.json}
      of: {name: files, path: null, of: {name: files, path: deep.json}}
      tokens: acme/tokens
"""
    file = write("benchspec: 1\nname: x\nexperiments:\n  one:\n    model: opt-tiny\n" + text)
    found = [line.replace(f" (looked for in {file.parent})", " (here)") for line in missing(file)]
    assert found == [
        "spec.yaml:8:13: warning: experiments.one.dataset.path: 'gone.json' does not exist (here)",
        "spec.yaml:9:27: warning: experiments.one.dataset.paths[1]: 'lost.json' does not exist (here)",
        "spec.yaml:10:42: warning: experiments.one.dataset.splits.rest[0]: 'left.json' does not exist (here)",
        "spec.yaml:11:61: warning: experiments.one.dataset.of.of.path: 'deep.json' does not exist (here)",
    ]
