"""The launcher `torchrun`: a process group is started, polled, and stopped without leftover processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from benchspec_plugins.launchers import group
from benchspec_plugins.launchers.group import MARK

linux = pytest.mark.skipif(sys.platform != "linux", reason="the guarantees about killed processes are Linux's")


@pytest.fixture
def sleeper():
    """Starts a process in a session of its own, as torchrun's workers are; it belongs to a case."""
    started = []

    def start(case_dir, program="import time; time.sleep(60)"):
        environment = {**os.environ, MARK: str(case_dir)}
        started.append(subprocess.Popen([sys.executable, "-c", program], env=environment, start_new_session=True))
        time.sleep(0.1)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def gone(process):
    try:
        return psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stopping_ends_every_process_of_the_case_and_no_others(tmp_path, sleeper):
    mine, others = sleeper(tmp_path / "1"), sleeper(tmp_path / "2")
    group.attach(f"0 0 {tmp_path / '1'}").stop()
    assert gone(mine)
    assert not gone(others)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path, sleeper, monkeypatch):
    monkeypatch.setattr(group, "TERM_TIMEOUT", 0.3)
    stubborn = sleeper(tmp_path, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    time.sleep(0.3)
    found = psutil.Process(stubborn.pid)
    attached = group.attach(f"{found.pid} {found.create_time()} {tmp_path}")
    assert attached.poll() is None
    attached.stop()
    assert gone(stubborn)


def test_a_group_that_no_longer_runs_has_ended(tmp_path):
    assert group.attach(f"{2**22 + 1} 1.0 {tmp_path}").poll() == -1


def test_a_process_that_later_got_the_same_pid_is_not_the_group(tmp_path):
    attached = group.attach(f"{os.getpid()} 1.0 {tmp_path}")
    assert attached.poll() == -1
    attached.stop()


def test_the_folder_may_have_blanks_in_its_name(tmp_path, sleeper):
    folder = tmp_path / "a run of mine"
    mine = sleeper(folder)
    found = psutil.Process(mine.pid)
    group.attach(f"{found.pid} {found.create_time()} {folder}").stop()
    assert gone(mine)


def test_threads_are_divided_among_processes_unless_the_user_sets_them(tmp_path, monkeypatch):
    monkeypatch.setattr(group, "_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert group._environment(tmp_path, 2)["OMP_NUM_THREADS"] == "4"
    assert group._environment(tmp_path, 16)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert group._environment(tmp_path, 2)["OMP_NUM_THREADS"] == "3"


WORKER = "import time; from benchspec.machine.process import die_with_starter; die_with_starter(); time.sleep(60)"


@linux
def test_a_worker_whose_starter_died_before_it_checked_ends_at_once():
    environment = {**os.environ, "BENCHSPEC_PARENT": "1"}
    assert subprocess.run([sys.executable, "-c", WORKER], env=environment, timeout=30).returncode == -9


@linux
def test_a_worker_dies_with_its_starter(tmp_path):
    starter = (
        "import os, subprocess, sys, time; os.environ['BENCHSPEC_PARENT'] = str(os.getpid()); "
        f"print(subprocess.Popen([sys.executable, '-c', {WORKER!r}], start_new_session=True).pid, flush=True); "
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(process.stdout.readline()))
    time.sleep(1)
    assert worker.is_running()
    process.kill()
    process.communicate()
    psutil.wait_procs([worker], timeout=5)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


@linux
@pytest.mark.slow
def test_torchrun_gets_the_case_and_dies_with_benchspec(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "case.json").write_text("no case")
    started = group.start(tmp_path, 1)
    while started.poll() is None:
        time.sleep(0.1)
    started.stop()
    assert started.poll() == 1
    assert "JSONDecodeError" in (tmp_path / "stderr.log").read_text()
    assert '"world":1' in (tmp_path / "rank-0.jsonl").read_text()
