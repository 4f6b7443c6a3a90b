"""A case that is running, seen from outside."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from left import DONE, TRAINING, failure, leave

from benchspec import Handle
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
    """Sets the clock."""

    def set(seconds):
        monkeypatch.setattr(module.time, "time", lambda: seconds)

    return set


def flight(folder, timeout=None, started=0.0):
    case = SimpleNamespace(limits={"timeout": timeout})
    return Flight(case, folder, None, Group(), started)


def test_a_group_that_runs_has_not_stopped(tmp_path, now):
    now(50.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    one.look()
    assert one.stopped() is None
    assert one.handle.code is None


def test_a_group_is_stopped_at_its_time_limit(tmp_path, now):
    now(61.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    assert one.stopped().timeout == 60
    assert one.handle.code == -15


def test_a_group_that_ended_by_itself_was_not_late(tmp_path, now):
    now(61.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    one.handle.code = 1
    assert one.stopped().timeout is None


def test_time_in_a_queue_counts_for_nothing(tmp_path, now):
    now(1000.0)
    one = flight(leave(tmp_path, []), timeout=60)
    one.handle.queued = True
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


def test_a_line_that_a_full_disk_cut_off_does_not_hide_the_others(tmp_path):
    leave(tmp_path, [*TRAINING, DONE])
    text = (tmp_path / "rank-0.jsonl").read_text()
    (tmp_path / "rank-0.jsonl").write_text('{"event":"beg' + "\n" + text)
    assert flight(tmp_path).look()[0][1]["event"] == "start"
