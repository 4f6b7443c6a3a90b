"""How a case starts, or is resumed where an earlier run was killed."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
from following import launching
from machines import FakeNvml

from benchspec import run
from benchspec.machine import nvml
from benchspec.running.progress import Lines


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


def test_others_on_the_gpus_are_recorded_and_warned_of_and_an_oom_beside_them_runs_again(scripted, monkeypatch, capsys):
    expect = "    expect: [{where: {launcher.end: oom}, outcome: oom}]\n"
    more = expect + "references:\n  - source: a paper\n    values: [{experiment: ends, outcome: oom}]\n"
    gpu = {"name": "NVIDIA H100", "uuid": "GPU-1", "memory": 80 << 30, "used": 40 << 30, "pids": [1]}
    nvidia = FakeNvml([gpu])
    monkeypatch.setattr(nvml, "has_driver", lambda: True)
    monkeypatch.setitem(sys.modules, "pynvml", nvidia.module())
    first = run(scripted("oom", more=more), progress=Lines(sys.stderr))
    warning = "others used the GPUs when the case started: NVIDIA H100 (GPU-1): 40 GiB in use, process 1"
    assert capsys.readouterr().err.count(f"ends/{first[0].case}: warning: {warning}\n") == 1
    assert first[0].warnings == [warning]
    assert first[0].record["others"] == [{"gpu": "NVIDIA H100", "uuid": "GPU-1", "memory": 40 << 30, "processes": [1]}]
    assert not first.as_expected()
    assert [verdict["verdict"] for verdict in first.verdicts] == ["not run"]

    nvidia.gpus[0].update(used=0, pids=[])
    again = run(scripted("oom", more=more))
    assert (again[0].attempt, again[0].warnings, again.as_expected()) == ("2", [], True)
    assert [verdict["verdict"] for verdict in again.verdicts] == ["reproduced"]
    assert run(scripted("oom", more=more))[0].attempt == "2"


@pytest.mark.parametrize("handle", [None, "1", 3])
def test_a_start_that_returns_no_handle_costs_one_case(scripted, monkeypatch, handle):
    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, handle)
    assert all("not a Handle with an id" in each.reason for each in run(asked))


def test_what_a_handle_that_is_refused_has_started_is_stopped(scripted, monkeypatch):
    class Numbered:
        id = 7
        stopped = 0

        def stop(self):
            self.stopped += 1

    asked, handle = scripted("ok"), Numbered()
    launching(monkeypatch, asked, handle)
    assert "not a Handle with an id" in run(asked)[0].reason and handle.stopped == 1


def test_what_a_copy_of_a_run_directory_says_of_a_running_case_is_left_alone(scripted, monkeypatch, tmp_path):
    asked = scripted("crash")
    run(asked)
    attached = []
    launcher = asked.registry.find("launcher", "scripted").cls
    plain = launcher.attach
    monkeypatch.setattr(launcher, "attach", lambda self, id: attached.append(id) or plain(self, id))
    Path("runs/demo/results.jsonl").write_text("")
    shutil.copytree("runs/demo", tmp_path / "copy")
    assert run(asked, tmp_path / "copy")[0].attempt == "2"
    assert not attached
    (tmp_path / "link").symlink_to("runs", target_is_directory=True)
    run(asked, tmp_path / "link" / "demo")
    assert attached == ["nothing"]


@pytest.mark.parametrize("content", [b"", b"x", b"\0x", b"\xff\xfe", b"-1 0 y"])
@pytest.mark.parametrize("name", ["handle", "oom-kills"])
def test_a_file_that_a_power_failure_emptied_does_not_stop_the_next_run(scripted, monkeypatch, name, content):
    asked = scripted("crash")
    (first,) = run(asked)
    Path("runs/demo/results.jsonl").write_text("")
    Path(f"runs/demo/cases/ends/{first.case}/1/{name}").write_bytes(content)
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "attach", lambda self, id: int(id))
    assert run(asked)[0].attempt == "2"


def test_what_a_launcher_prepared_for_later_cases_too_is_no_part_of_a_case(scripted, monkeypatch):
    spec = scripted("ok")
    cls = spec.registry.find("launcher", "scripted").cls
    start = cls.start

    def started(self, case_dir):
        begun = time.monotonic()
        time.sleep(0.5)
        handle = start(self, case_dir)
        handle.prepared = time.monotonic() - begun
        return handle

    monkeypatch.setattr(cls, "start", started)
    (result,) = run(spec)
    assert 0 <= result.metrics["wall_time"] < 0.5
