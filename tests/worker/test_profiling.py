"""Some steps under torch's profiler."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch.autograd import DeviceType

from benchspec.terms.profiles import FIRST, STEPS
from benchspec.worker.profiling import Profiler, operations


@pytest.fixture
def seen(tmp_path):
    """What a profiler writes of steps that multiply."""
    profiler, matrix = Profiler(tmp_path, 3, torch.device("cpu")), torch.ones(64, 64)
    for number in range(1, 10):
        with torch.profiler.record_function(f"step {number}"):
            matrix @ matrix
        profiler.step()
    return tmp_path


def test_only_some_steps_are_in_the_trace(seen):
    trace = gzip.decompress((seen / "trace-3.json.gz").read_bytes()).decode()
    assert {number for number in range(1, 10) if f'"step {number}"' in trace} == set(range(FIRST, FIRST + STEPS))


def test_operations_are_listed_with_their_calls_and_times(seen):
    found = json.loads((seen / "profile-3.json").read_text())
    (product,) = [each for each in found["operations"] if each["name"] == "aten::mm"]
    assert product["calls"] == STEPS and 0 < product["seconds"] < found["seconds"]
    times = [each["seconds"] for each in found["operations"]]
    assert times == sorted(times, reverse=True)


def test_on_a_gpu_a_kernel_counts_once_and_one_that_no_operation_started_too():
    """An operation, its kernel, another kernel, and what torch calls a part of a step on the GPU."""
    found = operations(
        [
            average("aten::mm", DeviceType.CPU, 3e6),
            average("gemm", DeviceType.CUDA, 3e6),
            average("multi_tensor_adam", DeviceType.CUDA, 1e6),
            average("Optimizer.step", DeviceType.CUDA, 4e6, annotation=True),
        ],
        gpu=True,
    )
    assert [(each["name"], each["seconds"]) for each in found] == [
        ("aten::mm", 3.0),
        ("kernels that no operation started", 1.0),
    ]


def average(key, device, microseconds, annotation=False):
    times = {"self_device_time_total": microseconds, "self_cpu_time_total": 0.0}
    return SimpleNamespace(key=key, count=1, device_type=device, is_user_annotation=annotation, **times)


def test_a_training_of_fewer_steps_has_no_profile(tmp_path):
    profiler = Profiler(tmp_path, 0, torch.device("cpu"))
    profiler.step()
    assert not list(tmp_path.iterdir())
