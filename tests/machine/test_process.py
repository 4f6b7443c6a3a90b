"""A process that must not outlive the one that started it."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from benchspec.machine.process import PARENT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")

BOUND = "from benchspec.machine.process import die_with_starter; die_with_starter(); print('alive', flush=True)"
#: starts the program that is its argument, shows its process id and its first line, and is killed
STARTER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
os.kill(os.getpid(), 9)
"""


def bound(**env):
    command = [sys.executable, "-c", BOUND]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)


def test_a_process_lives_as_long_as_its_parent():
    done = bound()
    assert (done.stdout, done.returncode) == ("alive\n", 0)


def test_a_process_whose_starter_has_died_already_is_killed_at_once():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    done = bound(**{PARENT: str(gone.pid)})
    assert (done.stdout, done.returncode) == ("", -9)


def test_a_process_dies_with_its_parent_however_that_dies():
    command = [sys.executable, "-c", STARTER, f"{BOUND}; import time; time.sleep(60)"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    pid, alive = done.stdout.split()
    assert (alive, done.returncode) == ("alive", -9)
    end = time.monotonic() + 10
    while lives(int(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not lives(int(pid))


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
