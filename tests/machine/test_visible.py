"""The accelerators that torch will use, where NVML alone cannot tell."""

from __future__ import annotations

import sys

import pytest
from machines import H100, FakeNvml

from benchspec.machine import nvml, visible
from benchspec.machine.visible import accelerators, seen_by_torch

SLICE = {"name": "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "uuid": "GPU-7", "memory": 10_200_547_328}
MI300X = {"name": "AMD Instinct MI300X", "uuid": "GPU-61", "memory": 206_141_652_992}
WHOLE = {"name": "NVIDIA H100 80GB HBM3", "memory": 84_929_347_584}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Makes a machine of what NVML and torch say of it; returns how often torch was asked."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    asked = []

    def machine(*gpus, torch, rocm=False):
        found = [{**gpu, "uuid": f"GPU-{number}"} for number, gpu in enumerate(gpus)]
        monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(found).module())
        monkeypatch.setattr(nvml, "has_driver", lambda: bool(gpus))
        monkeypatch.setattr(visible, "torch_facts", lambda: asked.append(1) or torch)
        monkeypatch.setattr(visible, "ROCM", tmp_path if rocm else tmp_path / "none")
        return asked

    return machine


def test_equal_gpus_are_nvml_s_and_torch_is_not_asked(here):
    asked = here(H100, H100, torch={})
    assert [gpu.uuid for gpu in accelerators()] == ["GPU-0", "GPU-1"]
    assert asked == []


def test_a_machine_without_a_driver_has_none_and_torch_is_not_asked(here):
    asked = here(torch={"devices": [MI300X]})
    assert accelerators() == []
    assert asked == []


def test_gpus_that_differ_are_in_torch_s_order(here):
    a10 = {**H100, "name": "NVIDIA A10", "milliwatts": 150_000}
    here(a10, H100, torch={"devices": [{**WHOLE, "uuid": "GPU-1"}, {**WHOLE, "uuid": "GPU-0"}]})
    assert [(gpu.uuid, gpu.power_limit) for gpu in accelerators()] == [("GPU-1", 700.0), ("GPU-0", 150.0)]


def test_of_gpus_that_are_cut_into_slices_there_is_the_one_that_torch_gets(here):
    here(*[{**H100, "mig": 1}] * 8, torch={"devices": [SLICE]})
    (gpu,) = accelerators()
    assert (gpu.name, gpu.memory, gpu.mig) == (SLICE["name"], SLICE["memory"], True)


@pytest.mark.parametrize("torch", [{"error": "ModuleNotFoundError: No module named 'torch'"}, {}])
def test_without_torch_a_machine_of_slices_has_one_of_unknown_size(here, torch):
    here(*[{**H100, "mig": 1}] * 8, torch=torch)
    (gpu,) = accelerators()
    assert (gpu.memory, gpu.mig) == (None, True)


def test_amd_s_gpus_are_those_that_torch_knows(here):
    here(torch={"devices": [MI300X] * 8}, rocm=True)
    found = accelerators()
    assert len(found) == 8
    assert (found[0].name, found[0].memory, found[0].mig) == ("AMD Instinct MI300X", 206_141_652_992, False)


def test_amd_s_driver_without_a_torch_for_it_is_no_accelerator(here):
    here(torch={"devices": []}, rocm=True)
    assert accelerators() == []


def test_a_description_has_the_same(here):
    here(*[{**H100, "mig": 1}] * 2, torch={})
    found = seen_by_torch(nvml.nvidia(), {"devices": [SLICE]})
    assert [gpu["name"] for gpu in found["accelerators"]] == [SLICE["name"]]
    assert (found["links"], found["driver"]) == ([], "535.104.05")
    here(H100, H100, torch={})
    assert seen_by_torch(nvml.nvidia(), None) == nvml.nvidia()
