"""A case that is running, seen from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from left import DONE, TRAINING, failure, leave

from benchspec import Handle
from benchspec.cases.case import Launch
from benchspec.machine.host import host
from benchspec.machine.process import MARK
from benchspec.running import flight as module
from benchspec.running.flight import GRACE, Flight


class Group(Handle):
    """A handle that runs until it is stopped."""

    id = "1"
    code = None
    queued = False

    def poll(self):
        return self.code

    def stop(self):
        self.code = -15

    def waiting(self):
        return self.queued


@pytest.fixture
def now(monkeypatch):
    """Sets the monotonic clock."""

    def set(seconds):
        monkeypatch.setattr(module.time, "monotonic", lambda: seconds)

    set(0.0)
    return set


def flight(folder, timeout=None, stall=7200.0, **fields):
    case = SimpleNamespace(limits={"timeout": timeout, "stall": stall})
    return Flight(Launch(case, 1), folder, None, Group(), started=1e9, **fields)


def test_a_group_that_runs_has_not_stopped(tmp_path, now):
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    now(50.0)
    one.look()
    assert one.stopped() is None
    assert one.handle.code is None


def test_a_group_is_stopped_at_its_time_limit(tmp_path, now):
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    now(61.0)
    stop = one.stopped()
    assert (stop.timeout, stop.seconds) == (60, 61.0)
    assert one.handle.code == -15


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_wall_clock_that_is_set_changes_no_limit(tmp_path, now, monkeypatch, jump):
    one = flight(leave(tmp_path, TRAINING), timeout=60, stall=100.0)
    monkeypatch.setattr(module.time, "time", lambda: 1e9 + jump)
    now(59.0)
    one.look()
    assert one.stopped() is None
    now(61.0)
    assert one.stopped().seconds == 61.0


def test_a_group_that_is_followed_keeps_its_age(tmp_path, now):
    now(1000.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60, begun=941.0)
    assert one.stopped() is None
    now(1002.0)
    assert one.stopped().timeout == 60


def test_a_group_that_ended_by_itself_was_not_late(tmp_path, now):
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    now(61.0)
    one.handle.code = 1
    assert one.stopped().timeout is None


def test_time_in_a_queue_counts_for_nothing(tmp_path, now):
    one = flight(leave(tmp_path, []), timeout=60, stall=50.0)
    one.handle.queued = True
    for seconds in range(0, 1001, 5):
        now(float(seconds))
        one.look()
        assert one.stopped() is None
    one.handle.queued = False
    now(1059.0)
    assert one.stopped() is None
    now(1061.0)
    assert one.stopped().timeout == 60


@pytest.mark.parametrize("last", [failure("oom"), DONE])
def test_a_group_that_lingers_is_given_a_while(tmp_path, now, last):
    now(100.0)
    one = flight(leave(tmp_path, [*TRAINING, last]))
    one.look()
    assert one.stopped() is None
    now(100.0 + GRACE)
    assert one.stopped().timeout is None
    assert one.handle.code == -15


def test_a_rank_whose_process_has_gone_ends_the_case_after_a_while(tmp_path, now):
    sleep = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(sleep, env={**os.environ, MARK: str(tmp_path)})
    leave(tmp_path, TRAINING, TRAINING)
    start = {"event": "start", "time": 1.0, "rank": 1, "world": 2, "pid": process.pid, "host": host()}
    (tmp_path / "rank-1.jsonl").write_text(json.dumps(start) + "\n")
    one = flight(tmp_path)
    one.look()
    process.kill()
    process.wait()
    now(1.0)
    one.look()
    assert one.stopped() is None
    now(1.0 + GRACE)
    assert one.stopped().seconds == 1.0 + GRACE


def test_a_group_that_stands_still_is_stopped_as_a_hang(tmp_path, now):
    one = flight(leave(tmp_path, TRAINING, TRAINING[:-1]), stall=60.0)
    now(2.0)
    one.look()
    for seconds in (*range(2, 62, 5), 61):
        now(float(seconds))
        one.look()
        assert one.stopped() is None
    now(64.0)
    one.look()
    hang = one.stopped().hang
    assert (hang.rank, hang.phase) == (1, "train")
    assert hang.reason == "no progress in steady for 1 min 2 s (limits.stall); rank 1 is behind"
    assert one.handle.code == -15


def test_a_line_that_a_full_disk_cut_off_does_not_hide_the_others(tmp_path):
    leave(tmp_path, [*TRAINING, DONE])
    text = (tmp_path / "rank-0.jsonl").read_text()
    (tmp_path / "rank-0.jsonl").write_text('{"event":"beg' + "\n" + text)
    assert flight(tmp_path).look()[0][1]["event"] == "start"
