"""What the results of a run depend on beside their cases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import called

from benchspec import run
from benchspec.machine import checkout, describe
from benchspec.results.journal import read_journal


def git(*arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def outcomes(found):
    return [(each.axes["launcher.end"], each.attempt) for each in found]


def test_a_record_names_processes_machine_libraries_and_commits(scripted):
    Path("notes.txt").write_text("one")
    git("init")
    git("add", "notes.txt")
    git("commit", "-m", "first")
    (found,) = run(scripted("ok"))
    record = found.record
    assert record["processes"] == 1
    assert set(record["machine"]) == {"accelerators", "power limit", "driver", "cpu"}
    assert record["libraries"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["libraries"]["scripted"] == "1.0"
    assert all(record["libraries"][name] for name in ("benchspec", "torch", "transformers", "tokenizers"))
    assert list(record["commits"]) == ["benchspec", "scripted", "working directory"]
    assert record["commits"]["scripted"]["id"] is None and record["commits"]["scripted"]["digest"]
    assert record["commits"]["working directory"]["dirty"] is False
    attempt = Path(f"runs/demo/cases/ends/{found.case}/1/record.json")
    kept = json.loads(attempt.read_text())
    assert {key: record[key] for key in kept} == kept


def test_nothing_has_changed_if_nothing_has(scripted, monkeypatch, capsys):
    scripted("ok", "oom")
    assert called(monkeypatch, "run", "demo.yaml") == 1
    assert called(monkeypatch, "run", "demo.yaml", "--rerun", "changed") == 1
    assert len(read_journal("runs/demo")) == 2
    assert "changed since" not in capsys.readouterr().err


@pytest.fixture
def changes(scripted, monkeypatch):
    """Ways to change what results depend on, by what is said of them."""

    def library():
        plain = describe._version
        monkeypatch.setattr(describe, "_version", lambda name: "99.0" if name == "tokenizers" else plain(name))

    def plugin():
        file = Path("site/scripted.py")
        file.write_text(file.read_text() + "# changed\n")

    def machine():
        plain = describe._cpu
        monkeypatch.setattr(describe, "_cpu", lambda: {**plain(), "model": "Acme 8000"})

    def working_directory():
        Path("notes.txt").write_text("two")

    Path("notes.txt").write_text("one")
    git("init")
    git("add", "notes.txt")
    git("commit", "-m", "first")
    return {
        "tokenizers: ": library,
        "code of scripted: files ": plugin,
        "cpu: ": machine,
        "code of working directory: commit ": working_directory,
    }


@pytest.mark.parametrize(
    "said", ["tokenizers: ", "code of scripted: files ", "cpu: ", "code of working directory: commit "]
)
def test_what_changed_is_said_once_marked_and_measured_again_if_asked(scripted, monkeypatch, capsys, changes, said):
    scripted("ok", "oom")
    called(monkeypatch, "run", "demo.yaml")
    changes[said]()
    capsys.readouterr()
    called(monkeypatch, "run", "demo.yaml")
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if "changed since" in line]
    assert len(lines) == 1 and lines[0].startswith(f"changed since these results were measured: {said}")
    assert lines[0].endswith("(2 results)")
    assert "run with --rerun changed to measure these cases again" in shown.err
    assert "ok †" in shown.out and f"† changed since this was measured: {said}" in shown.out
    assert len(read_journal("runs/demo")) == 2

    called(monkeypatch, "run", "demo.yaml", "--rerun", "changed", "--only", "end-ok")
    shown = capsys.readouterr()
    assert "(1 result)" in shown.err and "ok †" not in shown.out and "oom (build) †" in shown.out
    called(monkeypatch, "run", "demo.yaml", "--rerun", "changed")
    shown = capsys.readouterr()
    assert "changed since" not in shown.err + shown.out
    assert [each.attempt for each in read_journal("runs/demo")] == ["1", "1", "2", "2"]


def test_a_results_record_is_that_of_its_start(scripted, monkeypatch):
    run(scripted("ok"))
    Path("runs/demo/results.jsonl").write_text("")
    plain = describe._version
    monkeypatch.setattr(describe, "_version", lambda name: "99.0" if name == "torch" else plain(name))
    (found,) = run(scripted("ok"))
    assert found.attempt == "1" and found.record["libraries"]["torch"] != "99.0"


def test_a_result_of_an_earlier_version_says_nothing_of_what_it_depends_on(scripted):
    run(scripted("ok"))
    journal = Path("runs/demo/results.jsonl")
    line = json.loads(journal.read_text())
    journal.write_text(json.dumps({**line, "record": {}}) + "\n")
    (kept,) = found = run(scripted("ok"))
    assert found.changes(kept) == ["what it depends on: not recorded, as in earlier versions of benchspec"]
    assert outcomes(run(scripted("ok"), rerun="changed")) == [("ok", "2")]


def test_each_repository_is_asked_once_a_run(scripted, monkeypatch):
    asked = []
    plain = checkout.commit_of_folder
    monkeypatch.setattr(checkout, "commit_of_folder", lambda *given: asked.append(given[0]) or plain(*given))
    run(scripted("ok", "oom", "crash"))
    assert len(asked) == len(set(asked)) <= 3


ROWS = '[{"instruction": "Name a colour", "output": "%s"}]'


def test_an_edited_data_file_is_a_difference(scripted, monkeypatch):
    Path("rows.json").write_text(ROWS % "red")
    sets = ["defaults.dataset={name: alpaca, path: rows.json}"]
    asked = scripted("ok", sets=sets)
    identity = asked.registry.create("dataset", {"name": "alpaca", "path": "rows.json"}).identity()
    cls = asked.registry.find("launcher", "scripted").cls
    plain = cls.start

    def start(self, case_dir):
        handle = plain(self, case_dir)
        file = case_dir / "rank-0.jsonl"
        data = {"event": "data", "time": 1.5, "rows": 1, "words": 4, "tokens": 4, "planned_steps": None}
        first, last = file.read_text().splitlines()
        file.write_text("\n".join([first, json.dumps({**data, "identity": identity}), last, ""]))
        return handle

    monkeypatch.setattr(cls, "start", start)
    (kept,) = run(asked)
    assert kept.record["data"]["identity"] == identity
    assert run(asked).changes(kept) == []
    Path("rows.json").write_text(ROWS % "blue")
    (kept,) = found = run(asked)
    (line,) = found.changes(kept)
    assert line.startswith(f"data: {identity}, now sha256 ")
