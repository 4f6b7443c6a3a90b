"""Made-up machines for tests: a fake NVML with any GPUs, and what `describe` would return."""

# ruff: noqa: N802, N803 - NVML's names

from __future__ import annotations

import inspect
from types import ModuleType, SimpleNamespace

import pynvml

from benchspec.machine import describe as machine

H100 = {"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-1", "memory": 85_520_809_984, "milliwatts": 700_000, "mig": 0}


SLICE = {"name": "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "uuid": "MIG-1", "memory": 10_200_547_328}


SWITCH = b"00000000:FF:00.0"


class FakeNvml:
    """NVML as it looks to `pynvml`: GPUs are dicts; an answer that a dict lacks is "not supported"."""

    def __init__(self, gpus, slices=(), nvlink=True, refuses=()):
        self.gpus = [{"bus": f"00000000:{number:02X}:00.0".encode(), **gpu} for number, gpu in enumerate(gpus)]
        self.slices, self.nvlink, self.refuses = slices, nvlink, refuses
        #: how often it was initialised without being shut down
        self.open = 0

    def module(self):
        """A copy of `pynvml` in which every public method here replaces the function of the same name."""
        fake = ModuleType("pynvml")
        fake.__dict__.update(vars(pynvml))
        for name, method in inspect.getmembers(self, inspect.ismethod):
            if name.startswith("nvml"):
                assert list(inspect.signature(method).parameters) == list(
                    inspect.signature(getattr(pynvml, name)).parameters
                )
                setattr(fake, name, method)
        return fake

    def nvmlInit(self):
        if "nvmlInit" in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        if index in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        found = [gpu for gpu in (*self.gpus, *self.slices) if gpu["uuid"] == uuid]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found[0]

    def nvmlDeviceGetName(self, handle):
        return self._answer(handle, "name")

    def nvmlDeviceGetUUID(self, handle):
        return self._answer(handle, "uuid")

    def nvmlDeviceGetMemoryInfo(self, handle, version=None):
        if version and "nvmlDeviceGetMemoryInfo_v2" in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        # What the driver reserves is in the first version's answer only.
        used = handle.get("used", 0) + (0 if version else 600 << 20)
        return SimpleNamespace(total=self._answer(handle, "memory"), used=used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in handle.get("pids", ())]

    def nvmlDeviceGetPowerManagementLimit(self, handle):
        return self._answer(handle, "milliwatts")

    def nvmlDeviceGetMigMode(self, device):
        return [self._answer(device, "mig"), 0]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return self._answer(handle, "millijoules")

    def nvmlSystemGetDriverVersion(self):
        return "535.104.05"

    def nvmlSystemGetCudaDriverVersion(self):
        return 12020

    def nvmlDeviceGetPciInfo(self, handle):
        return SimpleNamespace(busId=handle["bus"])

    def nvmlDeviceGetNvLinkState(self, device, link):
        if not self.nvlink or link >= len(self._ends(device)):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 1

    def nvmlDeviceGetNvLinkRemotePciInfo(self, device, link):
        return SimpleNamespace(busId=self._ends(device)[link])

    def nvmlDeviceGetP2PStatus(self, device1, device2, p2pIndex):
        assert p2pIndex == pynvml.NVML_P2P_CAPS_INDEX_NVLINK
        return pynvml.NVML_P2P_STATUS_OK if self.nvlink else pynvml.NVML_P2P_STATUS_NOT_SUPPORTED

    def nvmlDeviceGetTopologyCommonAncestor(self, device1, device2):
        return pynvml.NVML_TOPOLOGY_SYSTEM

    def _ends(self, gpu):
        return gpu.get("ends", [SWITCH] * 18)

    def _answer(self, gpu, key):
        if key not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return gpu[key]


def facts(**changes):
    """A described server: 8 × H100, everything installed."""
    gpu = {"name": H100["name"], "uuid": None, "memory": H100["memory"], "power_limit": 700.0, "mig": False}
    server = {
        "accelerators": [gpu] * 8,
        "links": [["X" if row == column else "NV18" for column in range(8)] for row in range(8)],
        "driver": "570.86.15",
        "driver_cuda": "12.8",
        "cpu": {
            "model": "Intel(R) Xeon(R) Platinum 8470 CPU @ 2.00GHz",
            "sockets": 2,
            "cores": 104,
            "threads": 208,
            "usable": 208,
        },
        "memory": 2**41,
        "shared_memory": 2**40,
        "os": "Ubuntu 22.04.3 LTS",
        "kernel": "Linux 5.15.0-91-generic",
        "python": "3.11.7",
        "libraries": {
            **dict.fromkeys(machine.LIBRARIES, "1.0"),
            "benchspec": "0.1.0",
            "torch": "2.13.0+cu128",
            "transformers": "5.23.0",
            "deepspeed": "0.19.8",
        },
        "torch": {"cuda": "12.8", "cudnn": "9.10.2", "nccl": "2.27.7", "accelerators": 8},
        "absent_tools": [],
        "commit": {"id": "a1b2c3d" + "0" * 33, "dirty": False},
    }
    return {**server, **changes}


def without(*names):
    return {name: None if name in names else found for name, found in facts()["libraries"].items()}
