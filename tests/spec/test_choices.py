"""A plugin's options as they were said: which of them are paths, and from where these start."""

from pathlib import Path

from small import replaced

from benchspec import load, plan
from benchspec.cases.expand import expand


def test_paths_start_at_the_file_that_they_stand_in(write, tmp_path, monkeypatch):
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


def test_data_that_is_missing_is_told_apart_from_mistakes(write):
    expansion = expand(load(write(replaced("{name: synthetic, rows: 100}", "{name: alpaca, path: gone.json}"))))
    assert expansion.problems == []
    assert "gone.json' does not exist" in str(expansion.missing[0])
