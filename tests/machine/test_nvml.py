"""The NVIDIA GPUs of this machine, as NVML reports them."""

from __future__ import annotations

import sys
from itertools import count

import pytest
from machines import H100, SLICE, FakeNvml

from benchspec.machine import nvml as library
from benchspec.machine.nvml import Accelerator, accelerators, in_doubt, joules, nvidia


@pytest.fixture(autouse=True)
def all_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


@pytest.fixture
def nvml(monkeypatch):
    """Put a `FakeNvml` of these GPUs in NVML's place; each gets a UUID of its own."""

    def install(*gpus, **options):
        fake = FakeNvml([{**gpu, "uuid": f"GPU-{number}00"} for number, gpu in zip(count(1), gpus)], **options)
        monkeypatch.setattr(library, "has_driver", lambda: True)
        monkeypatch.setitem(sys.modules, "pynvml", fake.module())
        return fake

    return install


def test_an_accelerator_is_named_with_its_memory_and_power_limit(nvml):
    fake = nvml(H100)
    assert accelerators() == [
        Accelerator(name="NVIDIA H100 80GB HBM3", uuid="GPU-100", memory=85_520_809_984, power_limit=700.0, mig=False)
    ]
    assert fake.open == 0


def test_names_may_be_bytes(nvml):
    nvml({**H100, "name": b"NVIDIA L4"})
    assert [gpu.name for gpu in accelerators()] == ["NVIDIA L4"]


def test_figures_that_nvml_does_not_have_are_none(nvml):
    fake = nvml({"name": "NVIDIA A10"})
    (gpu,) = accelerators()
    assert (gpu.memory, gpu.power_limit, gpu.mig) == (None, None, False)
    assert fake.open == 0


def test_nvml_is_shut_down_after_an_error(nvml):
    fake = nvml({**H100, "memory": "no number"})
    with pytest.raises(ValueError, match="no number"):
        accelerators()
    assert fake.open == 0


def test_no_gpu_no_driver_and_no_permission_are_no_accelerators(nvml):
    nvml()
    assert accelerators() == []
    fake = nvml(H100, refuses=["nvmlInit"])
    assert accelerators() == []
    assert fake.open == 0


def test_gpus_without_permission_do_not_count(nvml, monkeypatch):
    nvml(H100, H100, H100, refuses=[0])
    assert [gpu.uuid for gpu in accelerators()] == ["GPU-200", "GPU-300"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [gpu.uuid for gpu in accelerators()] == ["GPU-200"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", ["GPU-300", "GPU-100"]),
        ("GPU-2", ["GPU-200"]),
        ("", []),
        ("-1", []),
        ("1,-1,0", ["GPU-200"]),
        ("0,7,1", ["GPU-100"]),
        ("NoDevFiles", []),
        ("MIG-1", ["MIG-1"]),
        ("MIG-2", []),
    ],
)
def test_cuda_visible_devices_is_respected(nvml, monkeypatch, visible, expected):
    nvml(H100, H100, H100, slices=[SLICE])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.uuid for gpu in accelerators()] == expected


def test_mig_is_noted(nvml, monkeypatch):
    nvml({**H100, "mig": 1}, slices=[SLICE])
    (whole,) = accelerators()
    assert whole.mig
    assert whole.memory is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    (part,) = accelerators()
    assert part.mig
    assert part.memory == 10_200_547_328


def test_the_energy_of_a_whole_gpu_is_known_and_that_of_a_slice_is_not(nvml):
    nvml({**H100, "millijoules": 12_500}, {**H100, "millijoules": 12_500, "mig": 1}, H100, slices=[SLICE])
    assert joules("GPU-100") == 12.5
    # It is the energy of all slices together.
    assert joules("GPU-200") is None
    assert joules("GPU-300") is joules("MIG-1") is joules("GPU-of-another-host") is joules(None) is None


A10 = {**H100, "name": "NVIDIA A10"}


@pytest.mark.parametrize(
    ("gpus", "environment", "doubt"),
    [
        ([H100, H100], {"CUDA_VISIBLE_DEVICES": "1"}, False),
        # CUDA numbers the fastest first, NVML goes by PCI bus.
        ([A10, H100], {}, True),
        ([A10, H100], {"CUDA_VISIBLE_DEVICES": "1"}, True),
        ([A10, H100], {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, False),
        ([A10, H100], {"CUDA_VISIBLE_DEVICES": "GPU-200"}, False),
        ([A10, H100], {"CUDA_VISIBLE_DEVICES": ""}, False),
        # A process gets one slice of all.
        ([{**H100, "mig": 1}], {}, True),
        ([{**H100, "mig": 1}], {"CUDA_VISIBLE_DEVICES": "MIG-1"}, False),
        ([{**H100, "mig": 1}], {"CUDA_VISIBLE_DEVICES": "MIG-1,MIG-3"}, True),
        ([], {}, False),
    ],
)
def test_whether_cuda_may_see_other_gpus(nvml, monkeypatch, gpus, environment, doubt):
    nvml(*gpus, slices=[SLICE, {**SLICE, "uuid": "MIG-3"}])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert in_doubt() is doubt


def test_links_through_switches_count_every_link(nvml):
    nvml(H100, H100)
    assert nvidia()["links"] == [["X", "NV18"], ["NV18", "X"]]


def test_links_between_two_gpus_count_those_that_end_at_the_other(nvml):
    first, second, third = (f"00000000:{number:02X}:00.0".encode() for number in range(3))
    nvml(
        {**H100, "ends": [second] * 4 + [third] * 2},
        {**H100, "ends": [first] * 4 + [third] * 2},
        {**H100, "ends": [first] * 2 + [second] * 2},
    )
    assert nvidia()["links"] == [["X", "NV4", "NV2"], ["NV4", "X", "NV2"], ["NV2", "NV2", "X"]]


def test_without_nvlink_the_pcie_path_is_named(nvml):
    nvml(H100, H100, nvlink=False)
    found = nvidia()
    assert found["links"] == [["X", "SYS"], ["SYS", "X"]]
    assert (found["driver"], found["driver_cuda"]) == ("535.104.05", "12.2")
