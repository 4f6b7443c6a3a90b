"""The run directory: locked by one run, bound to one spec, and never deleted."""

import errno
import json
from pathlib import Path

import pytest
from filelock import FileLock

from benchspec import run
from benchspec.results.journal import read_journal
from benchspec.running import start
from benchspec.running.rundir import move_aside
from benchspec.terms import layout
from benchspec.terms.errors import RunError


def test_fresh_moves_an_earlier_run_aside(scripted):
    run(scripted("crash"))
    (again,) = run(scripted("crash"), fresh=True)
    assert again.attempt == "1"
    aside = [path for path in Path("runs").iterdir() if path.name != "demo"]
    assert [json.loads((path / "run.json").read_text())["name"] for path in aside] == ["demo"]


def test_fresh_is_no_reason_to_need_an_earlier_run(scripted):
    assert run(scripted("ok"), fresh=True)[0].outcome == "ok"


def test_two_runs_moved_aside_in_a_second_are_both_kept(tmp_path):
    for _ in range(2):
        folder = tmp_path / "demo"
        folder.mkdir()
        (folder / "run.json").write_text("{}")
        move_aside(folder)
    assert len(list(tmp_path.iterdir())) == 2


def test_fresh_leaves_a_folder_that_is_no_run_alone(scripted):
    Path("home").mkdir()
    Path("home/thesis.tex").write_text("…")
    with pytest.raises(RunError, match="home is not a run directory, so --fresh does not move it"):
        run(scripted("ok"), "home", fresh=True)
    assert Path("home/thesis.tex").exists()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_run_directory_is_one_runs_at_a_time(scripted, fresh):
    run(scripted("ok"))
    with FileLock("runs/demo/.lock"), pytest.raises(RunError, match="another benchspec run is using runs/demo"):
        run(scripted("ok"), fresh=fresh)
    assert Path("runs/demo/run.json").exists()


def test_results_of_another_spec_are_not_mixed_in(scripted):
    run(scripted("ok"))
    with pytest.raises(RunError, match="runs/demo holds the results of another spec, 'demo'; --fresh moves them"):
        run(scripted("ok", sets=["name=other"]), "runs/demo")
    with pytest.raises(RunError, match="another version of 'demo', with no case in common"):
        run(scripted("crash"))


@pytest.mark.parametrize("file", ["case.json", "handle", "run.json"])
def test_a_full_disk_is_one_line_and_earlier_results_are_kept(scripted, monkeypatch, file):
    run(scripted("ok"))
    write = layout.write_whole

    def full(path, content):
        if path.name == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    for module in (layout, start):
        monkeypatch.setattr(module, "write_whole", full)
    with pytest.raises(RunError, match=r"^cannot write runs/demo: No space left on device$"):
        run(scripted("ok", "oom"))
    assert len(read_journal("runs/demo")) == 1


def test_a_folder_that_cannot_be_created_is_one_line(scripted):
    Path("taken").write_text("")
    with pytest.raises(RunError, match="cannot write taken: File exists"):
        run(scripted("ok"), "taken")
