"""What a shell is offered while a command is typed, through click's own protocol."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchspec.cli import cli

#: the command as it was installed, since its name is part of the script
INSTALLED = Path(sys.executable).with_name("benchspec")
SPEC = """
benchspec: 1
name: demo
experiments:
  sizes: {title: By model size, model: opt-tiny, dataset: synthetic}
  rows: {model: opt-tiny, dataset: synthetic}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("demo.yaml", "other.yml", "broken.yaml", "notes.txt", "README.md", "specs/deep.yaml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(SPEC if name != "broken.yaml" else "{")
    for name in ("runs/demo", "elsewhere", "runs/empty"):
        Path(name).mkdir(parents=True)
    for name in ("runs/demo", "elsewhere"):
        Path(name, "run.json").write_text(
            '{"spec": {"experiments": {"sizes": {"title": "By model size"}, "rows": {}}}}'
        )
    return tmp_path


def offered(monkeypatch, capsys, line, shell="zsh"):
    """(type, value, help) of what is offered for the last word of a command line."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_BENCHSPEC_COMPLETE", f"{shell}_complete")
    with pytest.raises(SystemExit) as done:
        cli.main([], prog_name="benchspec")
    assert done.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines() if shown.out.strip() else []
    return list(zip(lines[::3], lines[1::3], lines[2::3], strict=True))


def values(*given):
    return [value for type, value, _ in offered(*given) if type == "plain"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("benchspec run ", ["broken.yaml", "demo.yaml", "other.yml"]),
        ("benchspec run de", ["demo.yaml"]),
        ("benchspec run specs/", ["specs/deep.yaml"]),
        ("benchspec validate demo.yaml o", ["other.yml"]),
        ("benchspec plan ./d", ["./demo.yaml"]),
        ("benchspec report ", ["elsewhere", "runs/demo"]),
        ("benchspec report runs/", ["runs/demo"]),
        ("benchspec run demo.yaml --only ", ["sizes/", "rows/"]),
        ("benchspec run demo.yaml --only s", ["sizes/"]),
        ("benchspec run demo.yaml --reporter ma", ["markdown"]),
        ("benchspec report runs/demo --reporter js", ["json"]),
        ("benchspec report runs/demo --experiment ro", ["rows"]),
        ("benchspec verify R", ["README.md"]),
        ("benchspec plugins opt-6", ["opt-6.7b", "opt-66b"]),
        ("benchspec schema ", ["spec", "result", "event"]),
        ("benchspec val", ["validate"]),
        ("benchspec plan demo.yaml --format ", ["table", "json"]),
    ],
)
def test_what_is_offered(folder, monkeypatch, capsys, line, found):
    assert values(monkeypatch, capsys, line) == found


def test_a_folder_is_left_to_the_shell(folder, monkeypatch, capsys):
    assert offered(monkeypatch, capsys, "benchspec run demo.yaml --out r") == [("dir", "r", "_")]
    assert ("dir", "sp", "_") in offered(monkeypatch, capsys, "benchspec run sp")


def test_an_experiment_is_offered_with_its_title_and_a_plugin_with_its_help(folder, monkeypatch, capsys):
    assert offered(monkeypatch, capsys, "benchspec run demo.yaml --only si") == [("plain", "sizes/", "By model size")]
    ((_, _, help),) = offered(monkeypatch, capsys, "benchspec run demo.yaml --reporter tab")
    assert help.startswith("A plain-text table")


@pytest.mark.parametrize("spec", ["broken.yaml", "nowhere.yaml", "notes.txt", "specs"])
def test_a_spec_that_cannot_be_read_offers_nothing_and_says_nothing(folder, monkeypatch, capsys, spec):
    if spec == "notes.txt":
        Path(spec).write_text("\0")
    assert values(monkeypatch, capsys, f"benchspec run {spec} --only ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_for_each_shell_prints_a_script(folder, shell):
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("no bash")
    env = {**os.environ, "_BENCHSPEC_COMPLETE": f"{shell}_source"}
    done = subprocess.run(INSTALLED, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and f"_BENCHSPEC_COMPLETE={shell}_complete" in done.stdout


def test_files_are_offered_without_loading_plugins(folder):
    code = "import sys; from benchspec.cli import cli\ntry: cli.main([], prog_name='benchspec')\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    env = {"_BENCHSPEC_COMPLETE": "zsh_complete", "COMP_WORDS": "benchspec run d", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert "demo.yaml" in done.stdout
    assert "'pluggy'" not in done.stdout and "'jsonschema'" not in done.stdout and "'yaml'" not in done.stdout
