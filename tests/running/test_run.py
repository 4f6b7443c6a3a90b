"""Which cases run, what becomes of what they leave, and when a run is refused; the launcher here starts nothing."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from benchspec import load, run
from benchspec.machine import describe as machine
from benchspec.reports import render as reports
from benchspec.results import results
from benchspec.running.rundir import move_aside
from benchspec.terms import layout
from benchspec.terms.errors import BenchspecError, NothingSelected, RunError, SpecError

pytest.importorskip("torch")

#: `benchspec.run` is the function of this module
MODULE = sys.modules["benchspec.running.run"]
#: a launcher whose groups have ended, as its option says, by the time that it has started them
SCRIPTED = '''
import json
from pathlib import Path

from benchspec import BenchspecError, Launcher, hookimpl

ENDS = {
    "ok": {"event": "done"},
    "oom": {"event": "failure", "outcome": "oom", "phase": "build", "reason": "CUDA out of memory"},
    "crash": {"event": "failure", "outcome": "crash", "phase": "train", "reason": "ValueError: no"},
    "mistake": {"event": "failure", "outcome": "crash", "phase": "data", "reason": "row 3: no output", "mistake": True},
}


class Ended:
    id = "nothing"
    poll = lambda self: 0
    stop = lambda self: None


class Scripted(Launcher):
    """Starts nothing."""

    name = "scripted"
    options_schema = {"properties": {"end": {"type": "string", "default": "ok"}}}

    def start(self, case_dir):
        if self.options["end"] == "raise":
            raise ZeroDivisionError("a bug in the launcher")
        events = [{"event": "start", "rank": 0, "world": 1, "pid": 1}, ENDS[self.options["end"]]]
        lines = [json.dumps({"time": 1.0 + number, **event}) for number, event in enumerate(events)]
        (case_dir / "rank-0.jsonl").write_text("".join(line + "\\n" for line in lines))
        return Ended()

    def attach(self, id):
        return Ended()


@hookimpl
def benchspec_register():
    return [Scripted]
'''
SPEC = """
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 8}
  launcher: {name: scripted, end: ok}
experiments:
  ends:
    matrix:
      launcher.end: [%s]
"""


@pytest.fixture
def spec(installed, tmp_path, monkeypatch):
    """Makes a spec whose cases end so; the working directory is a temporary one."""
    installed("scripted", SCRIPTED)
    monkeypatch.chdir(tmp_path)
    # Asking torch takes a process and two seconds.
    monkeypatch.setattr(machine, "torch_facts", lambda: {})

    def made(*ends, more="", sets=()):
        Path("demo.yaml").write_text(SPEC % ", ".join(ends) + more)
        return load("demo.yaml", sets)

    return made


def outcomes(found):
    return [(each.axes["launcher.end"], each.outcome, each.attempt) for each in found]


def test_the_sweep_goes_on_whatever_a_case_ends_as(spec):
    found = run(spec("crash", "raise", "oom", "ok"))
    assert outcomes(found) == [("crash", "crash", "1"), ("raise", "crash", "1"), ("oom", "oom", "1"), ("ok", "ok", "1")]
    assert found[0].reason == "ValueError: no"
    assert found[1].reason == (
        "the launcher 'scripted' of scripted 1.0 (scripted) failed: ZeroDivisionError: a bug in the launcher"
    )
    assert not found.as_expected()
    assert not found.mistakes


def test_outcomes_that_would_not_change_are_not_run_again(spec):
    run(spec("crash", "oom", "ok"))
    assert outcomes(run(spec("crash", "oom", "ok"))) == [
        ("crash", "crash", "2"),
        ("oom", "oom", "1"),
        ("ok", "ok", "1"),
    ]


def test_an_expected_outcome_is_as_it_should_be(spec):
    expect = "    expect: [{where: {launcher.end: oom}, outcome: [oom, ok]}]\n"
    assert run(spec("oom", "ok", more=expect)).as_expected()


def test_a_mistake_is_kept_apart_and_others_run(spec):
    found = run(spec("mistake", "ok"))
    assert found.mistakes == [f"ends/{found[0].case}: row 3: no output"]
    assert found[1].outcome == "ok"


def test_a_mistake_that_is_expected_is_none(spec):
    expect = "    expect: [{where: {launcher.end: mistake}, outcome: crash}]\n"
    found = run(spec("mistake", "ok", more=expect))
    assert not found.mistakes
    assert found.as_expected()


@pytest.mark.parametrize("end", ["ok", "oom"])
def test_what_an_earlier_run_could_not_write_down_is_reduced_and_not_run_again(spec, end):
    (before,) = run(spec(end))
    Path("runs/demo/results.jsonl").write_text("")
    (after,) = run(spec(end))
    assert (after.outcome, after.attempt) == (end, "1")
    # The times are those of its events then.
    assert {**after.to_json(), **dict.fromkeys(("started", "finished", "metrics"))} == {
        **before.to_json(),
        **dict.fromkeys(("started", "finished", "metrics")),
    }


def test_an_attempt_that_was_cut_off_is_run_again_beside_its_evidence(spec):
    (only,) = run(spec("ok"))
    Path("runs/demo/results.jsonl").write_text("")
    events = Path(f"runs/demo/cases/ends/{only.case}/1/rank-0.jsonl")
    events.write_text(events.read_text().splitlines()[0] + '\n{"event":"do')
    (again,) = run(spec("ok"))
    assert again.attempt == "2"
    assert events.exists()


def test_a_case_that_was_added_is_run_and_the_others_are_not(spec):
    run(spec("ok"))
    assert outcomes(run(spec("ok", "oom"))) == [("ok", "ok", "1"), ("oom", "oom", "1")]
    assert len(results.read_journal("runs/demo")) == 2


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["oom"], ["oom"]),
        (["oom", "crash"], ["oom", "crash"]),
        (["ends/*end-ok*"], ["ok"]),
        (["ends"], ["ok", "oom", "crash"]),
        (["end?"], ["ok", "oom", "crash"]),
    ],
)
def test_only_selects_by_a_part_or_a_glob(spec, patterns, chosen):
    assert [each.outcome for each in run(spec("ok", "oom", "crash"), only=patterns)] == chosen


def test_only_that_selects_nothing_names_what_there_is(spec):
    with pytest.raises(NothingSelected, match=r"--only opt-30b selects no case \(ends/opt-tiny-end-ok-"):
        run(spec("ok"), only=["opt-30b"])
    assert not Path("runs").exists()


def test_fresh_moves_an_earlier_run_aside(spec):
    run(spec("crash"))
    (again,) = run(spec("crash"), fresh=True)
    assert again.attempt == "1"
    aside = [path for path in Path("runs").iterdir() if path.name != "demo"]
    assert [json.loads((path / "run.json").read_text())["name"] for path in aside] == ["demo"]


def test_fresh_is_no_reason_to_need_an_earlier_run(spec):
    assert run(spec("ok"), fresh=True)[0].outcome == "ok"


def test_two_runs_moved_aside_in_a_second_are_both_kept(tmp_path):
    for _ in range(2):
        folder = tmp_path / "demo"
        folder.mkdir()
        (folder / "run.json").write_text("{}")
        move_aside(folder)
    assert len(list(tmp_path.iterdir())) == 2


def test_fresh_leaves_a_folder_that_is_no_run_alone(spec):
    Path("home").mkdir()
    Path("home/thesis.tex").write_text("…")
    with pytest.raises(RunError, match="home is no run directory, so --fresh leaves it alone"):
        run(spec("ok"), "home", fresh=True)
    assert Path("home/thesis.tex").exists()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_run_directory_is_one_runs_at_a_time(spec, fresh):
    run(spec("ok"))
    with FileLock("runs/demo/.lock"), pytest.raises(RunError, match="another benchspec run is using runs/demo"):
        run(spec("ok"), fresh=fresh)
    assert Path("runs/demo/run.json").exists()


def test_results_of_another_spec_are_not_mixed_in(spec):
    run(spec("ok"))
    with pytest.raises(RunError, match="runs/demo holds the results of another spec, 'demo'; --fresh moves them"):
        run(spec("ok", sets=["name=other"]), "runs/demo")
    with pytest.raises(RunError, match="another version of 'demo', with no case in common"):
        run(spec("crash"))


def test_a_broken_run_json_is_said_in_a_line(spec):
    run(spec("ok"))
    Path("runs/demo/run.json").write_text("{")
    with pytest.raises(BenchspecError, match=r"run\.json: error: not JSON"):
        run(spec("ok"))


def test_a_lost_run_json_is_written_again(spec):
    run(spec("ok"))
    Path("runs/demo/run.json").unlink()
    assert run(spec("ok")).name == "demo"


def test_a_finished_run_keeps_the_machine_that_it_was_measured_on(spec):
    run(spec("ok"))
    file = Path("runs/demo/run.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine_line": "8 × H100"}))
    assert run(spec("ok")).run["machine_line"] == "8 × H100"


def test_missing_data_is_said_before_anything_is_started(spec):
    data = "  rows: {dataset: {name: alpaca, path: nowhere.json}}\n"
    with pytest.raises(SpecError, match=r"demo\.yaml:12:.*nowhere\.json' does not exist"):
        run(spec("ok", more=data))
    assert not Path("runs").exists()


@pytest.mark.parametrize("file", ["case.json", "handle", "run.json"])
def test_a_full_disk_is_said_in_a_line_and_what_was_done_is_kept(spec, monkeypatch, file):
    run(spec("ok"))
    write = layout.write_whole

    def full(path, content):
        if path.name == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    for module in (layout, MODULE):
        monkeypatch.setattr(module, "write_whole", full)
    with pytest.raises(RunError, match=r"^cannot write runs/demo: No space left on device$"):
        run(spec("ok", "oom"))
    assert len(results.read_journal("runs/demo")) == 1


def test_a_folder_that_cannot_be_made_is_said_in_a_line(spec):
    Path("taken").write_text("")
    with pytest.raises(RunError, match="cannot write taken: File exists"):
        run(spec("ok"), "taken")


def test_libraries_that_are_missing_are_said_with_what_to_do(spec, monkeypatch):
    monkeypatch.setattr(MODULE, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(RunError, match=r"torch not installed: pip install 'benchspec\[train\]'"):
        run(spec("ok"))


def test_an_interruption_ends_the_processes(spec, monkeypatch):
    class Interrupted:
        id = "1"
        stopped = 0

        def poll(self):
            raise KeyboardInterrupt

        def stop(self):
            self.stopped += 1

    asked, handle = spec("ok"), Interrupted()
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "start", lambda self, case_dir: handle)
    with pytest.raises(KeyboardInterrupt):
        run(asked)
    assert handle.stopped == 1
    assert not results.read_journal("runs/demo")


def test_a_launcher_that_loses_its_processes_ends_only_its_case(spec, monkeypatch):
    class Lost:
        id = "1"

        def poll(self):
            raise ConnectionError("no answer from the scheduler")

        def stop(self):
            pass

    asked = spec("ok", "oom")
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "start", lambda self, case_dir: Lost())
    assert [each.reason.rpartition("failed: ")[2] for each in run(asked)] == [
        "ConnectionError: no answer from the scheduler"
    ] * 2


def test_a_report_that_cannot_be_kept_is_shown_all_the_same(spec, monkeypatch):
    found = run(spec("ok"))
    Path("runs/demo/report.txt").mkdir()
    shown = reports.printed(spec("ok").registry, found)
    assert "outcome" in next(shown)
    with pytest.raises(BenchspecError, match=r"cannot write .*report\.txt: Is a directory"):
        list(shown)
