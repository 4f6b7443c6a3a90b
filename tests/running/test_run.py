"""Which results a run records, and when it is refused; the launcher here starts nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from commands import called, counted

from benchspec import plan, run
from benchspec.cases.expand import expand
from benchspec.results.journal import read_journal
from benchspec.running import view
from benchspec.running.progress import Lines
from benchspec.terms.errors import RunError, SpecError
from benchspec_plugins.hardware.auto import Auto

#: `benchspec.run` is the function of this module
MODULE = sys.modules["benchspec.running.run"]


def outcomes(found):
    return [(each.axes["launcher.end"], each.outcome, each.attempt) for each in found]


def test_the_sweep_goes_on_whatever_a_case_ends_as(scripted):
    found = run(scripted("crash", "raise", "oom", "ok"))
    assert outcomes(found) == [("crash", "crash", "1"), ("raise", "crash", "1"), ("oom", "oom", "1"), ("ok", "ok", "1")]
    assert found[0].reason == "ValueError: no"
    said = "the launcher 'scripted' of scripted 1.0 (scripted) failed: ZeroDivisionError: a bug in the launcher ("
    assert found[1].reason.startswith(said) and "/scripted.py:" in found[1].reason
    assert not found.as_expected()
    assert not found.mistakes


def test_an_expected_outcome_is_as_it_should_be(scripted):
    expect = "    expect: [{where: {launcher.end: oom}, outcome: [oom, ok]}]\n"
    assert run(scripted("oom", "ok", more=expect)).as_expected()


def test_a_mistake_is_kept_apart_and_others_run(scripted):
    found = run(scripted("mistake", "ok"))
    assert found.mistakes == [f"ends/{found[0].case}: row 3: no output"]
    assert found[1].outcome == "ok"


def test_a_mistake_that_is_expected_is_none(scripted):
    expect = "    expect: [{where: {launcher.end: mistake}, outcome: crash}]\n"
    found = run(scripted("mistake", "ok", more=expect))
    assert not found.mistakes
    assert found.as_expected()


def test_a_finished_run_needs_its_data_no_more(scripted, tmp_path):
    file = tmp_path / "rows.json"
    file.write_text('[{"instruction": "a", "input": "", "output": "b"}]')
    data = f"    dataset: {{name: alpaca, path: {file}}}\n"
    assert len(run(scripted("ok", more=data))) == 1
    file.unlink()
    assert len(run(scripted("ok", more=data))) == 1


def test_missing_data_is_said_before_anything_is_started(scripted):
    data = "  rows: {dataset: {name: alpaca, path: nowhere.json}}\n"
    with pytest.raises(SpecError, match=r"demo\.yaml:12:.*nowhere\.json' does not exist"):
        run(scripted("ok", more=data))
    assert not Path("runs").exists()


def test_a_case_needs_no_data_of_others(scripted):
    data = "  rows: {dataset: {name: alpaca, path: nowhere.json}}\n"
    assert len(run(scripted("ok", more=data), only="ends")) == 1
    with pytest.raises(SpecError, match=r"nowhere\.json' does not exist"):
        run(scripted("ok", more=data))


@pytest.mark.parametrize("rerun", ["all", True, ""])
def test_what_is_run_again_is_what_has_changed(scripted, rerun):
    with pytest.raises(ValueError, match=f"rerun must be 'changed' or None, not {rerun!r}"):
        run(scripted("ok"), rerun=rerun)


def test_an_interrupted_case_lacks_the_launches_that_were_asked_for(scripted):
    spec = scripted("ok")
    run(spec, repeats=1)
    assert view.interrupted("runs/demo", plan(spec), fresh=False).startswith("interrupted: 1 of 1 cases have a result")
    run(spec, repeats=2)
    lines = Path("runs/demo/results.jsonl").read_text().splitlines(keepends=True)
    Path("runs/demo/results.jsonl").write_text(lines[0])
    assert view.interrupted("runs/demo", plan(spec), fresh=False).startswith("interrupted: 0 of 1 cases have a result")


def test_libraries_that_are_missing_are_said_with_what_to_do(scripted, monkeypatch):
    monkeypatch.setattr(MODULE, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(
        RunError, match=r"torch not installed: in benchspec's checkout, run pip install -e '\.\[train\]'"
    ):
        run(scripted("ok"))


def test_an_interruption_ends_the_processes(scripted, monkeypatch):
    class Interrupted:
        id = "1"
        stopped = 0

        def poll(self):
            raise KeyboardInterrupt

        def stop(self):
            self.stopped += 1

    asked, handle = scripted("ok"), Interrupted()
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "start", lambda self, case_dir: handle)
    with pytest.raises(KeyboardInterrupt):
        run(asked)
    assert handle.stopped == 1
    assert not read_journal("runs/demo")


# What has no result


def deleting(monkeypatch, asked, end):
    """The launcher deletes the run directory when it starts this case, as somebody may in another terminal."""
    cls = asked.registry.find("launcher", "scripted").cls
    plain = cls.start

    def start(self, case_dir):
        if self.options["end"] == end:
            shutil.rmtree("runs/demo")
            case_dir.mkdir(parents=True)
        return plain(self, case_dir)

    monkeypatch.setattr(cls, "start", start)


def test_results_that_were_deleted_meanwhile_are_missed(scripted, monkeypatch, capsys):
    asked = scripted("oom", "ok")
    deleting(monkeypatch, asked, "ok")
    found = run(asked, progress=Lines(sys.stderr))
    assert [each.axes["launcher.end"] for each in found] == ["ok"]
    assert len(found.missing()) == 1 and not found.as_expected()
    assert "warning: runs/demo/run.json was removed while the cases ran" in capsys.readouterr().err
    assert len(run(scripted("oom", "ok"))) == 2


def test_missing_results_are_one_line_and_exit_code_1(scripted, monkeypatch, capsys):
    scripted("ok", "oom")
    assert called(monkeypatch, "run", "demo.yaml", "--only", "end-ok") == 0
    assert capsys.readouterr().err.count("error") == 0
    assert called(monkeypatch, "report", "runs/demo") == 1
    where, line = capsys.readouterr().err.splitlines()
    assert where == "reports in runs/demo: report.txt, report.md, report.csv"
    assert line.startswith("error: 1 of 2 cases have no result in runs/demo: ends/opt-tiny-end-oom-")
    assert line.endswith("; `benchspec run SPEC --out runs/demo` runs what is missing")
    Path("runs/demo/results.jsonl").unlink()
    assert called(monkeypatch, "report", "runs/demo") == 1
    assert "error: 2 of 2 cases have no result in runs/demo: ends/opt-tiny-end-ok-" in capsys.readouterr().err


def test_only_judges_the_cases_that_it_selects(scripted, monkeypatch):
    scripted("ok", "crash")
    assert called(monkeypatch, "run", "demo.yaml") == 1
    assert called(monkeypatch, "run", "demo.yaml", "--only", "end-ok") == 0
    assert called(monkeypatch, "run", "demo.yaml", "--only", "end-crash") == 1


# Each thing is worked out once


def test_the_machine_is_asked_once_from_the_first_check_to_the_last_result(scripted, monkeypatch):
    scripted("ok", "oom", "crash")
    asked = counted(monkeypatch, Auto.facts, Auto)
    assert called(monkeypatch, "run", "demo.yaml") == 1
    assert len(read_journal("runs/demo")) == 3
    assert len(asked) == 1


def test_the_command_expands_the_spec_once(scripted, monkeypatch):
    scripted("ok", "oom")
    expanded = counted(monkeypatch, expand)
    assert called(monkeypatch, "run", "demo.yaml") == 1
    assert len(read_journal("runs/demo")) == 2
    assert len(expanded) == 1


def test_a_run_in_python_expands_the_spec_once(scripted, monkeypatch):
    expanded = counted(monkeypatch, expand)
    run(scripted("ok", "oom"))
    assert len(expanded) == 1


@pytest.mark.parametrize("ends", [["ok"], ["crash"], ["crash", "oom", "ok", "mistake"]])
def test_the_journal_is_read_once_before_the_cases_and_once_after_them(scripted, monkeypatch, ends):
    run(scripted(*ends))
    reads = counted(monkeypatch, read_journal)
    assert len(run(scripted(*ends))) == len(ends)
    assert len(reads) == 2


def test_one_pattern_needs_no_list(scripted):
    assert [each.outcome for each in run(scripted("ok", "oom"), only="end-ok")] == ["ok"]


@pytest.mark.parametrize("repeats", [0, -1, "3", 2.5, True])
def test_repeats_that_are_no_count_are_refused(scripted, repeats):
    with pytest.raises(ValueError, match="repeats must be a whole number of at least 1, or None"):
        run(scripted("ok"), repeats=repeats)
