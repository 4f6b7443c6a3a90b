"""What of the hub is on this machine: asked of its cache's folders, without its libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import called
from plugged import beside

from benchspec.machine import hub


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache of the hub, which cannot be reached."""
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub, "hub_reachable", lambda: False)
    return tmp_path / "home"


def made(kind, value):
    registry = beside()
    from benchspec.kinds.options import completed

    return registry.create(kind, completed(registry, kind, value))


def keep(home, repository, *files):
    snapshot = home / "hub" / repository / "snapshots" / "1f9c2a"
    snapshot.mkdir(parents=True, exist_ok=True)
    for file in files:
        (snapshot / file).write_text("")


def test_weights_and_tokenizer_that_are_in_the_cache_are_not_missing(home):
    model = made("model", "opt-125m")
    (line,) = model.missing(online=True)
    assert line.startswith("weights and tokenizer of 'facebook/opt-125m': not in the local cache of the hub, and the")
    keep(home, "models--facebook--opt-125m", "config.json", "tokenizer_config.json")
    (line,) = model.missing(online=True)
    assert line.startswith("weights of 'facebook/opt-125m': not in the local cache of the hub, and the hub cannot be")
    keep(home, "models--facebook--opt-125m", "model.safetensors")
    assert model.missing(online=True) == []


def test_without_leave_to_use_the_network_only_a_forbidden_download_is_missing(home, monkeypatch):
    assert made("model", "opt-125m").missing(online=False) == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids" in made("model", "opt-125m").missing(online=False)[0]


def test_what_can_be_downloaded_is_not_missing(home, monkeypatch):
    monkeypatch.setattr(hub, "hub_reachable", lambda: True)
    assert made("model", "opt-125m").missing(online=True) == []
    assert made("dataset", "alpaca").missing(online=True) == []


@pytest.mark.parametrize(
    "value",
    ["opt-tiny", {"name": "opt-125m", "weights": "random", "tokenizer": "bytes"}],
)
def test_random_weights_and_a_built_in_tokenizer_need_no_hub(home, value):
    assert made("model", value).missing(online=True) == []


def test_a_folder_that_is_not_there_is_missing(home, tmp_path):
    (line,) = made("model", {"name": "hf", "path": str(tmp_path / "gone")}).missing(online=False)
    assert line == f"'{tmp_path}/gone' is not a folder; give one with the weights and tokenizer"
    (line,) = made("model", {"name": "hf", "path": str(tmp_path)}).missing(online=False)
    assert line.startswith(f"the folder '{tmp_path}' has no weights and no tokenizer (*.safetensors, *.bin, tokenizer*")
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    assert made("model", {"name": "hf", "path": str(tmp_path)}).missing(online=False) == []


@pytest.mark.parametrize("value", ["alpaca", {"name": "resampled", "of": "alpaca", "rows": 5}])
def test_the_rows_of_the_hub_are_in_either_of_two_caches(home, value):
    (line,) = made("dataset", value).missing(online=True)
    assert "hf download --repo-type dataset tatsu-lab/alpaca" in line and "`dataset: synthetic`" in line
    (home / "datasets" / "tatsu-lab___alpaca").mkdir(parents=True)
    assert made("dataset", value).missing(online=True) == []


def test_a_cached_data_set_is_found(home):
    keep(home, "datasets--tatsu-lab--alpaca", "README.md")
    assert made("dataset", "alpaca").missing(online=True) == []


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, str(Path.home() / ".cache/huggingface/hub")),
    ],
)
def test_the_cache_is_where_the_hubs_library_has_it(environment, folder):
    assert str(hub.cache(environment)) == folder
    pytest.importorskip("huggingface_hub")
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    env = {"HOME": str(Path.home()), **environment}
    assert (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout.strip() == folder
    )


def test_a_sweep_is_refused_before_its_first_case_with_each_lack_said_once(home, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(
        "benchspec: 1\nname: sweep\nexperiments:\n  one:\n    dataset: {name: synthetic, rows: 8}\n"
        "    launcher: {name: torchrun, processes: 1}\n"
        "    matrix: {model: [opt-125m, opt-tiny], train.seed: [1, 2, 3]}\n"
    )
    assert called(monkeypatch, "run", "sweep.yaml") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sweep.yaml:7:22: error: experiments.one.matrix.model[0]: weights and tokenizer of")
    assert not Path("runs").exists()
