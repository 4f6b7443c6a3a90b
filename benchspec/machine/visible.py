"""The accelerators that torch will use: NVML's account of them where that is certain to agree, else torch's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchspec.machine import nvml
from benchspec.machine.nvml import Accelerator
from benchspec.machine.probe import torch_facts

#: where AMD's driver shows itself; NVML does not know its GPUs
ROCM = Path("/dev/kfd")


def accelerators() -> list[Accelerator]:
    """The accelerators that this process may use, in torch's order. Where only torch knows them, it takes seconds."""
    found = nvml.accelerators()
    if not only_torch_knows():
        return found
    return _torchs(torch_facts(), found)


def seen_by_torch(nvidia: Mapping[str, Any], torch: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `nvml.nvidia` returned, with the accelerators from what `torch_facts` returned where only torch knows."""
    if not only_torch_knows():
        return dict(nvidia)
    found = [Accelerator(**each) for each in nvidia["accelerators"]]
    # NVML's links are between whole GPUs in its own order.
    return {**nvidia, "accelerators": [asdict(each) for each in _torchs(torch or {}, found)], "links": []}


def only_torch_knows() -> bool:
    """Whether torch has to be asked: for AMD's GPUs, and where CUDA may use other GPUs than NVML reports."""
    return nvml.in_doubt() or (not nvml.has_driver() and ROCM.exists())


def _torchs(torch: Mapping[str, Any], found: list[Accelerator]) -> list[Accelerator]:
    """Torch's devices; without torch, of GPUs in MIG mode the one that a process gets a slice of."""
    if "devices" in torch:
        limits = {each.uuid: each.power_limit for each in found}
        return [_accelerator(device, limits) for device in torch["devices"]]
    return found[:1] if any(each.mig for each in found) else found


def _accelerator(device: Mapping[str, Any], limits: Mapping[str | None, float | None]) -> Accelerator:
    # CUDA ends the name of a slice with its profile, such as MIG 1g.10gb.
    return Accelerator(**device, power_limit=limits.get(device["uuid"]), mig=" MIG " in device["name"])
