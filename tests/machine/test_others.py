"""Who else uses the GPUs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from machines import H100, FakeNvml

from benchspec.machine import nvml as library
from benchspec.machine.others import others, sentence

GIB = 2**30


@pytest.fixture
def gpus(monkeypatch):
    """Put a `FakeNvml` of these GPUs in NVML's place."""

    def install(*gpus, **options):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(library, "has_driver", lambda: True)
        monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(gpus, **options).module())

    return install


@pytest.fixture
def of_case(tmp_path):
    """The id of a process of a case in the run directory `tmp_path`."""
    folder = tmp_path / "cases" / "sizes" / "opt-tiny-1f9c2a" / "1"
    command = [sys.executable, "-c", "print(flush=True); input()"]
    process = subprocess.Popen(
        command, env={**os.environ, "BENCHSPEC_CASE_DIR": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    yield process.pid
    process.communicate()


def test_idle_gpus_are_nobodys(gpus, tmp_path):
    gpus(H100, {**H100, "used": 40 << 20})
    assert others(tmp_path) == []


def test_without_a_driver_there_is_nobody(tmp_path):
    assert others(tmp_path) == []


def test_processes_are_named_with_the_memory_in_use(gpus, tmp_path):
    gpus(H100, {**H100, "uuid": "GPU-2", "used": 40 * GIB, "pids": [os.getpid(), 1]})
    found = others(tmp_path)
    expected = {"gpu": H100["name"], "uuid": "GPU-2", "memory": 40 * GIB, "processes": [1, os.getpid()]}
    assert found == [expected]
    assert sentence(found) == (
        f"others used the GPUs when the case started: {H100['name']} (GPU-2): 40 GiB in use, process 1, {os.getpid()}"
    )


def test_in_a_container_memory_alone_tells_of_others(gpus, tmp_path):
    gpus({**H100, "used": 40 * GIB})
    (found,) = others(tmp_path)
    assert found["processes"] == []
    assert sentence([found]).endswith("40 GiB in use, by processes that cannot be seen")


def test_an_old_driver_says_only_what_is_in_use_with_its_own_share(gpus, tmp_path):
    gpus({**H100, "used": GIB}, refuses=["nvmlDeviceGetMemoryInfo_v2"])
    assert others(tmp_path)[0]["memory"] == GIB + (600 << 20)


def test_gpus_in_mig_mode_are_left_out(gpus, tmp_path):
    gpus({**H100, "mig": 1, "used": 40 * GIB, "pids": [1]})
    assert others(tmp_path) == []


def test_processes_of_the_same_run_are_no_others(gpus, tmp_path, of_case):
    gpus({**H100, "used": 40 * GIB, "pids": [of_case]})
    assert others(tmp_path) == []
    assert others(tmp_path / "another")[0]["processes"] == [of_case]
