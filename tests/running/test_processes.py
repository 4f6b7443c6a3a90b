"""The processes of ranks as the parent sees them: real ones, which live, are stopped, or have gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from benchspec.machine.host import host
from benchspec.machine.process import MARK
from benchspec.running import processes as module
from benchspec.running.processes import Processes, main_stack

#: a rank that has said where its stacks go, and waits
RANK = """
import faulthandler, signal, sys, time
faulthandler.register(signal.SIGUSR1, open(sys.argv[1], "a"))
def wait_for_ever():
    print(flush=True)
    time.sleep(60)
wait_for_ever()
"""


@pytest.fixture
def rank(tmp_path):
    """Starts a process that is a rank of the attempt in the temporary folder."""
    started = []

    def start(number, mark=tmp_path):
        command = [sys.executable, "-S", "-c", RANK, str(tmp_path / f"stacks-{number}.txt")]
        started.append(subprocess.Popen(command, env={**os.environ, MARK: str(mark)}, stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def _no_py_spy(monkeypatch):
    monkeypatch.setattr(module, "_py_spy", lambda: None)


def start(process, **fields):
    return {"event": "start", "world": 1, "pid": process.pid, "host": host(), **fields}


def test_a_rank_that_ends_has_gone(tmp_path, rank):
    ranks, process = Processes(tmp_path), rank(0)
    ranks.take(0, start(process))
    assert ranks.gone() == set()
    process.kill()
    end = time.monotonic() + 10
    while not ranks.gone() and time.monotonic() < end:
        time.sleep(0.01)
    # Nobody has waited for it yet.
    assert ranks.gone() == {0}
    process.wait()
    assert ranks.gone() == {0}
    assert ranks.observe([0])[0].state == "gone"


@pytest.mark.parametrize("fields", [{"host": "another"}, {"host": None}, {"pid": None}, {"pid": "1"}, {"pid": 2**40}])
def test_what_is_not_on_this_host_cannot_be_seen(tmp_path, rank, fields):
    ranks = Processes(tmp_path)
    ranks.take(0, start(rank(0), **fields))
    assert ranks.gone() == set()
    assert ranks.observe([0])[0].state is None


def test_another_process_that_has_a_ranks_id_gets_no_signal(tmp_path, rank):
    ranks, other = Processes(tmp_path), rank(0, mark=tmp_path / "another case")
    ranks.take(0, start(other))
    ranks.observe([0])
    time.sleep(0.1)
    assert (tmp_path / "stacks-0.txt").read_text() == ""


def test_stacks_are_kept_even_of_a_process_that_is_stopped(tmp_path, rank):
    ranks, running, stopped = Processes(tmp_path), rank(0), rank(1)
    ranks.take(0, start(running))
    ranks.take(1, start(stopped))
    stopped.send_signal(signal.SIGSTOP)
    os.waitpid(stopped.pid, os.WUNTRACED)
    seen = ranks.observe([0, 1])
    assert [seen[each].state for each in (0, 1)] == ["runs", "stopped"]
    assert [seen[each].stack[0].function for each in (0, 1)] == ["wait_for_ever"] * 2


def test_py_spy_is_asked_too_where_it_is_installed(tmp_path, rank, monkeypatch):
    spy = tmp_path / "py-spy"
    spy.write_text('#!/bin/sh\necho "asked: $*"\n')
    spy.chmod(0o755)
    monkeypatch.setattr(module, "_py_spy", lambda: str(spy))
    ranks, process = Processes(tmp_path), rank(0)
    ranks.take(0, start(process))
    (seen,) = ranks.observe([0]).values()
    text = (tmp_path / "stacks-0.txt").read_text()
    assert text.startswith(f"asked: dump --nonblocking --pid {process.pid}\n")
    assert seen.stack[0].function == "wait_for_ever"


def test_a_pulse_tells_how_long_ago_it_was_and_whether_the_rank_computes(tmp_path, rank):
    ranks, now = Processes(tmp_path), time.monotonic()
    ranks.take(0, start(rank(0)))
    pulse = {"phase": "steady", "step": 3, "clock": now - 30, "cpu": 12.0, "since": now - 40, "cpu_since": 4.0}
    (tmp_path / "pulse-0.json").write_text(json.dumps(pulse))
    (seen,) = ranks.observe([0]).values()
    assert seen.pulse_age == pytest.approx(30, abs=1)
    assert seen.cpu == pytest.approx(0.8)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"clock": "x", "cpu": 1, "since": 2}', '{"clock": 1, "cpu": 1, "since": 1}'])  # fmt: skip
def test_a_pulse_that_cannot_be_read_tells_nothing(tmp_path, text):
    (tmp_path / "pulse-0.json").write_text(text)
    assert Processes(tmp_path).observe([0])[0].cpu is None


def test_files_of_stacks_that_nobody_asked_for_are_removed(tmp_path):
    (tmp_path / "stacks-0.txt").touch()
    (tmp_path / "stacks-1.txt").write_text("a stack")
    Processes(tmp_path).forget([0, 1, 2])
    assert [file.name for file in tmp_path.iterdir()] == ["stacks-1.txt"]


def test_the_stack_of_the_main_thread_is_the_last_one():
    text = (
        "Thread 0x00007f (most recent call first):\n"
        '  File "/a/pulse.py", line 48 in _beat\n'
        "\n"
        "Current thread 0x00008f (most recent call first):\n"
        '  File "/a/recipe.py", line 73 in wait\n'
        '  File "/a/worker.py", line 3 in <module>\n'
    )
    assert [str(frame) for frame in main_stack(text)] == ["wait (recipe.py:73)", "<module> (worker.py:3)"]
    assert main_stack("") == main_stack("Process 7: python\n") == ()
