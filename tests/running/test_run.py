"""Which results a run records, and when it is refused; the launcher here starts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import called, counted

from benchspec import run
from benchspec.cases.expand import expand
from benchspec.results import evidence
from benchspec.results.journal import read_journal
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
    assert found[1].reason == (
        "the launcher 'scripted' of scripted 1.0 (scripted) failed: ZeroDivisionError: a bug in the launcher"
    )
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


@pytest.mark.parametrize("end", ["ok", "oom"])
def test_what_an_earlier_run_could_not_write_down_is_reduced_and_not_run_again(scripted, end):
    (before,) = run(scripted(end))
    Path("runs/demo/results.jsonl").write_text("")
    (after,) = run(scripted(end))
    assert (after.outcome, after.attempt) == (end, "1")
    # The times are those of its events then.
    assert {**after.to_json(), **dict.fromkeys(("started", "finished", "metrics"))} == {
        **before.to_json(),
        **dict.fromkeys(("started", "finished", "metrics")),
    }


def test_missing_data_is_said_before_anything_is_started(scripted):
    data = "  rows: {dataset: {name: alpaca, path: nowhere.json}}\n"
    with pytest.raises(SpecError, match=r"demo\.yaml:12:.*nowhere\.json' does not exist"):
        run(scripted("ok", more=data))
    assert not Path("runs").exists()


def test_libraries_that_are_missing_are_said_with_what_to_do(scripted, monkeypatch):
    monkeypatch.setattr(MODULE, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(RunError, match=r"torch not installed: pip install 'benchspec\[train\]'"):
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


def test_a_launcher_that_loses_its_processes_ends_only_its_case(scripted, monkeypatch):
    class Lost:
        id = "1"

        def poll(self):
            raise ConnectionError("no answer from the scheduler")

        def stop(self):
            pass

    asked = scripted("ok", "oom")
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "start", lambda self, case_dir: Lost())
    assert [each.reason.rpartition("failed: ")[2] for each in run(asked)] == [
        "ConnectionError: no answer from the scheduler"
    ] * 2


class Following:
    """A handle whose group runs until it is stopped, unless `ended`."""

    id = "1"

    def __init__(self, ended=False):
        self.code = 0 if ended else None
        self.stopped = 0

    def poll(self):
        return self.code

    def stop(self):
        self.stopped += 1
        self.code = -15

    def waiting(self):
        return False


def launching(monkeypatch, asked, handle, **methods):
    """Make the spec's launcher return a handle, and change other methods of it."""
    cls = asked.registry.find("launcher", "scripted").cls
    for name, method in ({"start": lambda self, case_dir: handle} | methods).items():
        monkeypatch.setattr(cls, name, method, raising=False)


def test_a_handle_that_cannot_be_asked_is_stopped_before_the_next_case_starts(scripted, monkeypatch):
    class Unaskable(Following):
        waiting = None

    asked, handle = scripted("ok"), Unaskable()
    launching(monkeypatch, asked, handle)
    assert "'NoneType' object is not callable" in run(asked)[0].reason
    assert handle.stopped == 1


@pytest.mark.parametrize("answer", [None, "1", [(0, 1)], {0: "killed"}, {"0": 1}, ZeroDivisionError()])
def test_what_a_launcher_wrongly_tells_of_deaths_costs_one_case(scripted, monkeypatch, answer):
    def deaths(self, case_dir):
        if isinstance(answer, Exception):
            raise answer
        return answer

    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, Following(ended=True), deaths=deaths)
    first, second = run(asked)
    assert first.outcome == second.outcome == "crash"
    assert "the launcher 'scripted' of scripted 1.0 (scripted) failed" in second.reason
    assert [each.outcome for each in run(asked)] == ["crash", "crash"], "and a resumed run goes on too"


def test_deaths_are_not_asked_of_a_case_that_is_done(scripted, monkeypatch):
    def deaths(self, case_dir):
        raise ZeroDivisionError

    asked = scripted("ok")
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "deaths", deaths, raising=False)
    assert run(asked)[0].outcome == "ok"


@pytest.mark.parametrize("handle", [None, "1", 3])
def test_a_start_that_returns_no_handle_costs_one_case(scripted, monkeypatch, handle):
    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, handle)
    assert all("not a Handle with an id" in each.reason for each in run(asked))


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"failure","time":2}',
        '{"event":"start","time":2}',
        '{"event":"start","time":2,"world":"two"}',
        '{"event":"begin","time":"soon","phase":"train"}',
        '{"event":"step","time":2,"step":1}',
        '{"event":"proof"}',
        '{"event":"memory","time":2}',
        "[1]",
    ],
)
def test_events_that_cannot_be_used_cost_that_case_alone(scripted, monkeypatch, line):
    def start(self, case_dir):
        lines = ['{"event":"start","time":1.0,"rank":0,"world":1,"pid":1}', line, '{"event":"done","time":3.0}']
        (case_dir / "rank-0.jsonl").write_text("\n".join(lines) + "\n")
        return Following(ended=True)

    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, None, start=start)
    found = run(asked)
    assert len(found) == 2
    assert {each.outcome for each in found} <= {"ok", "crash"}
    assert all(each.outcome == "ok" or "cannot be used" in each.reason for each in found)


@pytest.mark.parametrize("name", ["stderr.log", "rank-1.jsonl"])
def test_a_folder_in_the_place_of_evidence_costs_nothing(scripted, monkeypatch, name):
    asked = scripted("ok")
    cls = asked.registry.find("launcher", "scripted").cls
    plain = cls.start

    def start(self, case_dir):
        (case_dir / name).mkdir()
        return plain(self, case_dir)

    monkeypatch.setattr(cls, "start", start)
    assert run(asked)[0].outcome == "ok"


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xfe", b"-1 0 y"])
@pytest.mark.parametrize("name", ["handle", "oom-kills"])
def test_a_file_that_a_power_failure_emptied_does_not_stop_the_next_run(scripted, monkeypatch, name, content):
    asked = scripted("crash")
    (first,) = run(asked)
    Path("runs/demo/results.jsonl").write_text("")
    Path(f"runs/demo/cases/ends/{first.case}/1/{name}").write_bytes(content)
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "attach", lambda self, id: int(id))
    assert run(asked)[0].attempt == "2"


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


def test_the_evidence_of_a_case_is_read_once(scripted, monkeypatch):
    reads = counted(monkeypatch, evidence.read)
    run(scripted("ok", "oom", "crash"))
    assert len(reads) == 3
