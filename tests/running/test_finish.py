"""How a case ends that has a bad launcher, or evidence that cannot be used."""

from __future__ import annotations

import json
import sys

import pytest
from commands import counted
from following import Following, launching

from benchspec import run
from benchspec.results import evidence, reduce
from benchspec.running.progress import Lines


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


def writing(line):
    """A launcher's `start`, whose only rank writes this line between `start` and `done`."""

    def start(self, case_dir):
        lines = [b'{"event":"start","time":1.0,"rank":0,"world":1,"pid":1}', line, b'{"event":"done","time":3.0}']
        (case_dir / "rank-0.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        return Following(ended=True)

    return start


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"event":"failure","time":2}', "the event 'failure' has no 'outcome'"),
        (b'{"event":"start","time":2}', "the event 'start' has no 'world'"),
        (
            b'{"event":"start","time":2,"world":"two"}',
            "'world' of the event 'start' is 'two', not a whole number from 1",
        ),
        (b'{"event":"proof"}', "the event 'proof' has no 'time'"),
        (b'{"event":"memory","time":NaN}', "'time' of the event 'memory' is nan, not a time in seconds"),
    ],
)
def test_an_event_that_lacks_what_is_needed_costs_that_case_alone(scripted, monkeypatch, line, said):
    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, None, start=writing(line))
    first, second = run(asked)
    assert first.outcome == second.outcome == "crash"
    assert first.reason == f"the events cannot be used: rank-0.jsonl:2: {said}"
    assert set(first.metrics) == {"wall_time"}
    assert len(run(asked)) == 2, "and a resumed run goes on too"


@pytest.mark.parametrize("line", [b"[1]", b"Hello", b"\xff\xfe", b"[" * 100_000, b'{"event":"birthday","time":2}'])
def test_a_line_that_is_no_event_is_passed_over_with_a_warning(scripted, monkeypatch, capsys, line):
    asked = scripted("ok")
    launching(monkeypatch, asked, None, start=writing(line))
    (found,) = run(asked, progress=Lines(sys.stderr))
    warning = "rank-0.jsonl: 1 line is no event and was passed over (the first: line 2)"
    assert (found.outcome, found.warnings) == ("ok", [warning])
    assert f"ends/{found.case}: warning: {warning}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "proof", [{"file": "\udce9.bin"}, {"digits": 10**4000}, {"deep": [[[[[[]]]]]]}, {"loss": float("nan")}]
)
def test_whatever_a_backend_proves_with_can_be_written_and_read_again(scripted, monkeypatch, proof):
    asked = scripted("ok")
    line = json.dumps({"event": "proof", "time": 2.0, **proof}).encode()
    launching(monkeypatch, asked, None, start=writing(line))
    assert run(asked)[0].outcome == "ok"
    assert set(run(asked)[0].proof) == set(proof)


def in_the_way(asked, monkeypatch, name):
    """Make a folder of this name in the attempt, before the ranks write."""
    cls = asked.registry.find("launcher", "scripted").cls
    plain = cls.start

    def start(self, case_dir):
        (case_dir / name).mkdir()
        return plain(self, case_dir)

    monkeypatch.setattr(cls, "start", start)


@pytest.mark.parametrize("name", ["stderr.log", "oom-kills.d"])
def test_a_folder_in_the_place_of_a_log_costs_nothing(scripted, monkeypatch, name):
    asked = scripted("ok")
    in_the_way(asked, monkeypatch, name)
    assert run(asked)[0].outcome == "ok"


def test_a_ranks_file_that_cannot_be_read_costs_that_case_alone(scripted, monkeypatch):
    asked = scripted("ok", "oom")
    in_the_way(asked, monkeypatch, "rank-3.jsonl")
    first, second = run(asked)
    assert first.reason.startswith("the events cannot be used: rank-3.jsonl cannot be read: it is not a file")
    assert second.reason.endswith("it is not a file; CUDA out of memory")
    assert first.outcome == second.outcome == "crash"


def test_evidence_that_the_metrics_stumble_over_costs_that_case_alone(scripted, monkeypatch):
    asked = scripted("ok")

    def stumble(ranks, *args, **kwargs):
        return plain({rank: [{"event": "memory"}] for rank in ranks}, *args, **kwargs)

    plain = reduce.reduce
    monkeypatch.setattr(reduce, "reduce", stumble)
    (found,) = run(asked)
    assert (found.outcome, found.reason) == ("crash", "the events cannot be used: KeyError: 'allocated'")


def test_the_evidence_of_a_case_is_read_once(scripted, monkeypatch):
    reads = counted(monkeypatch, evidence.read)
    run(scripted("ok", "oom", "crash"))
    assert len(reads) == 3
