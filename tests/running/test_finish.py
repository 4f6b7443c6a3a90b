"""How a case ends that has a bad launcher, or evidence that cannot be used."""

from __future__ import annotations

import pytest
from commands import counted
from following import Following, launching

from benchspec import run
from benchspec.results import evidence


def test_a_launcher_that_loses_its_processes_ends_only_its_case(scripted, monkeypatch):
    class Lost:
        id = "1"

        def poll(self):
            raise ConnectionError("no answer from the scheduler")

        def stop(self):
            pass

    asked = scripted("ok", "oom")
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "start", lambda self, case_dir: Lost())
    reasons = [each.reason.rpartition("failed: ")[2] for each in run(asked)]
    assert [reason.partition(" (")[0] for reason in reasons] == ["ConnectionError: no answer from the scheduler"] * 2


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


def test_the_evidence_of_a_case_is_read_once(scripted, monkeypatch):
    reads = counted(monkeypatch, evidence.read)
    run(scripted("ok", "oom", "crash"))
    assert len(reads) == 3
