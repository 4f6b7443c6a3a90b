"""The supervisor of a case: whatever its processes are and however benchspec goes, none of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from benchspec_plugins.launchers import supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guarantees about processes are Linux's")

PYTHON = [sys.executable, "-S"]
SUPERVISOR = [*PYTHON, "-P", supervisor.__file__]
SLEEP = "import time; time.sleep(60)"
#: starts a process that has left its parent, its session and its environment, shows its id, and goes on
DAEMON = f"""
import os, subprocess, sys, time
command = [sys.executable, "-S", "-c", {SLEEP!r}]
if not os.fork():
    os.setsid()
    print(subprocess.Popen(command, env={{}}, start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True)
    os._exit(0)
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""
#: as benchspec: starts a supervisor with the command that is its argument, shows its id, and waits
STARTER = f"""
import os, subprocess, sys, time
command = [*{SUPERVISOR!r}, "group", str(os.getpid()), *sys.argv[1:]]
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
time.sleep(60)
"""


def supervise(folder, program, *arguments, role=(), **kwargs):
    command = [
        *SUPERVISOR,
        *(role or ("group", str(os.getpid()))),
        str(folder),
        *PYTHON,
        "-c",
        program,
        *map(str, arguments),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **kwargs)


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until_gone(*pids):
    end = time.monotonic() + 10
    while not all(map(gone, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return all(map(gone, pids))


def test_a_daemon_ends_when_the_command_ends_whose_exit_code_is_the_supervisors(tmp_path):
    running = supervise(tmp_path, DAEMON, 0.2)
    daemon = int(running.stdout.readline())
    assert not gone(daemon)
    assert running.wait(10) == 7
    assert gone(daemon)


def test_sigterm_ends_everything_and_other_signals_nothing(tmp_path):
    running = supervise(tmp_path, DAEMON, 60, start_new_session=True)
    daemon = int(running.stdout.readline())
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert running.poll() is None
    running.terminate()
    assert running.wait(10) == 128 + signal.SIGTERM
    assert gone(daemon)
    assert (tmp_path / "exits").read_text() == "stopped\n"


def test_everything_ends_when_benchspec_is_killed(tmp_path):
    command = [*PYTHON, "-c", STARTER, str(tmp_path), *PYTHON, "-c", DAEMON, "60"]
    benchspec = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    supervising, daemon = (int(benchspec.stdout.readline()) for _ in range(2))
    benchspec.kill()
    benchspec.communicate()
    assert until_gone(supervising, daemon)


def test_a_supervisor_whose_benchspec_has_gone_already_runs_nothing_on(tmp_path):
    running = supervise(tmp_path, SLEEP, role=("group", "1"))
    assert running.wait(10) == 1


def test_the_ranks_end_when_the_supervisor_is_killed(tmp_path):
    rank = f"[*{SUPERVISOR!r}, 'rank', {str(tmp_path)!r}, *{PYTHON!r}, '-c', {SLEEP!r}]"
    torchrun = f"import subprocess; p = subprocess.Popen({rank}); print(p.pid, flush=True); p.wait()"
    running = supervise(tmp_path, torchrun, env={**os.environ, "RANK": "0"})
    waiting = int(running.stdout.readline())
    while not (worker := supervisor.descendants(waiting)):
        time.sleep(0.02)
    running.kill()
    running.communicate()
    assert until_gone(waiting)
    # The worker binds itself to the process that started it, which this one has not: only its starter is gone.
    psutil.Process(*worker).kill()


@pytest.mark.parametrize(
    ("end", "exits", "code"),
    [("sys.exit(3)", "2 3\n", 3), ("os._exit(0)", "2 0\n", 0), ("os.kill(os.getpid(), 9)", "2 -9\n", 137)],
)
def test_how_a_rank_ended_is_written_down(tmp_path, end, exits, code):
    environment = {**os.environ, "RANK": "2", "BENCHSPEC_PARENT": str(os.getpid())}
    program = f"import os, sys; print('said', flush=True); {end}"
    running = supervise(tmp_path, program, role=("rank",), env=environment)
    assert running.wait(10) == code
    assert (tmp_path / "exits").read_text() == exits
    assert (tmp_path / "stdout.log").read_text() == "said\n"


def test_a_rank_whose_torchrun_has_gone_already_does_not_start(tmp_path):
    running = supervise(tmp_path, SLEEP, role=("rank",), env={**os.environ, "RANK": "0", "BENCHSPEC_PARENT": "1"})
    assert running.wait(10) == 137
    assert not (tmp_path / "stdout.log").exists()


def test_descendants_are_found_at_any_depth():
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {SLEEP!r}])"
    child = subprocess.Popen([*PYTHON, "-c", nested])
    try:
        while len(found := supervisor.descendants(child.pid)) < 1:
            time.sleep(0.02)
        assert child.pid in supervisor.descendants(os.getpid())
        assert set(found) <= set(supervisor.descendants(os.getpid()))
    finally:
        for pid in (child.pid, *supervisor.descendants(child.pid)):
            os.kill(pid, signal.SIGKILL)
        child.wait()
