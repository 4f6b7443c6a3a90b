"""The NVIDIA GPUs of this machine, as the driver's management library (NVML) reports them; torch is not needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A GPU that this process may use, or a MIG slice of one."""

    name: str
    uuid: str | None
    #: bytes; None for a GPU in MIG mode, because a process gets a slice of it whose size is unknown
    memory: int | None
    #: watts
    power_limit: float | None
    #: whether it is a MIG slice, or a GPU in MIG mode
    mig: bool


def accelerators() -> list[Accelerator]:
    """The NVIDIA GPUs that this process may use, in NVML's order (by PCI bus); empty if there is no driver."""
    with _nvml() as nvml:
        return [_accelerator(nvml, handle) for handle in _handles(nvml)]


def joules(uuid: str | None) -> float | None:
    """The energy that a GPU has used since its driver was loaded.

    None if the GPU is unknown or has no counter, or is in MIG mode, where it is that of all slices together.
    """
    with _nvml() as nvml:
        handle = _ask(nvml.nvmlDeviceGetHandleByUUID, uuid) if nvml and uuid else None
        whole = handle is not None and not _in_mig_mode(nvml, handle)
        millijoules = _ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle) if whole else None
    return None if millijoules is None else millijoules / 1000


def in_doubt() -> bool:
    """Whether CUDA may use other GPUs than `accelerators` says, or have them in another order.

    A process gets one slice of all that MIG has cut GPUs into. And CUDA puts the fastest GPU first, NVML goes by PCI
    bus, so numbers in CUDA_VISIBLE_DEVICES may mean others, which matters if they differ.
    """
    with _nvml() as nvml:
        found = [_accelerator(nvml, handle) for handle in _handles(nvml)]
        slices = [each for each in found if each.mig]
        if any(not _is_slice(each.uuid) for each in slices) or (slices and len(found) > 1):
            return True
        return _in_cudas_order() and len({_ask(nvml.nvmlDeviceGetName, handle) for handle in _present(nvml)}) > 1


def _in_cudas_order() -> bool:
    """Whether GPUs are numbered by CUDA in an order of its own, not listed by UUIDs."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    numbered = any(entry.strip().isdecimal() for entry in chosen.split(","))
    return numbered and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"


class Use(NamedTuple):
    """What uses a GPU at a moment."""

    name: str
    uuid: str | None
    #: bytes, without what the driver keeps for itself; None if unknown
    memory: int | None
    #: the ids of the processes that compute on it
    processes: Sequence[int]


def uses() -> list[Use]:
    """What uses each GPU that this process may use; without GPUs in MIG mode, whose slices are others' by right."""
    with _nvml() as nvml:
        return [_use(nvml, handle) for handle in _handles(nvml) if not _accelerator(nvml, handle).mig]


def _use(nvml: Any, handle: Any) -> Use:
    # The second version leaves out what the driver reserves; older drivers have the first one only.
    second = _ask(nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    memory = second or _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    return Use(
        name=_text(_ask(nvml.nvmlDeviceGetName, handle)) or "unknown",
        uuid=_uuid(nvml, handle),
        memory=None if memory is None else int(memory.used),
        processes=[process.pid for process in _ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()],
    )


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, initialised and then shut down; None if it cannot be initialised: no library, driver or permission."""
    if not has_driver():
        yield None
        return
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        _ask(pynvml.nvmlShutdown)


def has_driver() -> bool:
    """Whether NVIDIA's driver is loaded; if not, `pynvml` need not be imported, which would slow every command."""
    return sys.platform != "linux" or any(Path(place).exists() for place in _DRIVER)


#: where the driver shows itself: on servers and in containers, in Windows' subsystem for Linux, and on Jetson boards
_DRIVER = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/nvgpu", "/dev/nvhost-gpu")


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """NVML's answer; None if it has none, as is common in virtual machines and for MIG slices."""
    import pynvml

    try:
        return function(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes | None) -> str | None:
    """NVML's text: bytes in some versions of its Python package, str in others."""
    return value.decode() if isinstance(value, bytes) else value


def _handles(nvml: Any) -> list[Any]:
    """NVML's handles of the GPUs that CUDA_VISIBLE_DEVICES leaves visible."""
    present = _present(nvml)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return present if chosen is None else _chosen(nvml, present, chosen.split(","))


def _present(nvml: Any) -> list[Any]:
    """NVML's handles of all GPUs that this process has permission for: NVML counts others too, CUDA skips them."""
    if nvml is None:
        return []
    found = [_ask(nvml.nvmlDeviceGetHandleByIndex, index) for index in range(_ask(nvml.nvmlDeviceGetCount) or 0)]
    return [handle for handle in found if handle is not None]


def _chosen(nvml: Any, present: list[Any], entries: list[str]) -> list[Any]:
    """The handles of the entries; as in CUDA, an entry that matches no GPU ends the list."""
    handles: list[Any] = []
    for entry in entries:
        handle = _handle(nvml, present, entry.strip())
        if handle is None:
            break
        handles.append(handle)
    return handles


def _handle(nvml: Any, present: list[Any], entry: str) -> Any:
    """The handle for an index, a prefix of a GPU's UUID, or a MIG slice's full UUID."""
    if entry.isdecimal():
        return present[int(entry)] if int(entry) < len(present) else None
    if entry.startswith("MIG-"):
        return _ask(nvml.nvmlDeviceGetHandleByUUID, entry)
    if not entry.startswith("GPU-"):
        return None
    return next((handle for handle in present if (_uuid(nvml, handle) or "").startswith(entry)), None)


def _uuid(nvml: Any, handle: Any) -> str | None:
    return _text(_ask(nvml.nvmlDeviceGetUUID, handle))


def _accelerator(nvml: Any, handle: Any) -> Accelerator:
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    milliwatts = _ask(nvml.nvmlDeviceGetPowerManagementLimit, handle)
    uuid = _uuid(nvml, handle)
    in_mig_mode = _in_mig_mode(nvml, handle)
    return Accelerator(
        name=_text(_ask(nvml.nvmlDeviceGetName, handle)) or "unknown",
        uuid=uuid,
        memory=None if memory is None or in_mig_mode else int(memory.total),
        power_limit=None if milliwatts is None else milliwatts / 1000,
        mig=in_mig_mode or _is_slice(uuid),
    )


def _is_slice(uuid: str | None) -> bool:
    return (uuid or "").startswith("MIG-")


def _in_mig_mode(nvml: Any, handle: Any) -> bool:
    return bool((_ask(nvml.nvmlDeviceGetMigMode, handle) or [None])[0] == nvml.NVML_DEVICE_MIG_ENABLE)


def nvidia() -> dict[str, Any]:
    """The accelerators, the links between them, the driver, and the newest CUDA that the driver supports."""
    with _nvml() as nvml:
        handles = _handles(nvml)
        return {
            "accelerators": [asdict(_accelerator(nvml, handle)) for handle in handles],
            "links": _links(nvml, handles) if len(handles) > 1 else [],
            "driver": _text(_ask(nvml.nvmlSystemGetDriverVersion)) if nvml else None,
            "driver_cuda": _cuda(_ask(nvml.nvmlSystemGetCudaDriverVersion)) if nvml else None,
        }


def _cuda(number: int | None) -> str | None:
    """NVML's number as a version: 12080 is CUDA 12.8."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _links(nvml: Any, handles: list[Any]) -> list[list[str]]:
    """The link between each pair, abbreviated as in `nvidia-smi topo -m`."""
    ends = [_nvlink_ends(nvml, handle) for handle in handles]
    return [
        ["X" if row == column else _link(nvml, one, other, ends[row]) for column, other in enumerate(handles)]
        for row, one in enumerate(handles)
    ]


def _nvlink_ends(nvml: Any, handle: Any) -> list[bytes]:
    """The PCI address at the far end of each NVLink in use: another GPU's, or a switch's."""
    used = [n for n in range(nvml.NVML_NVLINK_MAX_LINKS) if _ask(nvml.nvmlDeviceGetNvLinkState, handle, n) == 1]
    return [_bus(_ask(nvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, n)) for n in used]


def _bus(pci: Any) -> bytes:
    return b"" if pci is None else pci.busId


def _link(nvml: Any, one: Any, other: Any, ends: list[bytes]) -> str:
    if _ask(nvml.nvmlDeviceGetP2PStatus, one, other, nvml.NVML_P2P_CAPS_INDEX_NVLINK) == nvml.NVML_P2P_STATUS_OK:
        # The number of links that end at the other GPU; through a switch, all links lead to it.
        direct = ends.count(_bus(_ask(nvml.nvmlDeviceGetPciInfo, other)))
        return f"NV{direct or len(ends) or '?'}"
    return _PCIE.get(_ask(nvml.nvmlDeviceGetTopologyCommonAncestor, one, other), "?")


#: NVML_TOPOLOGY_* as `nvidia-smi topo -m` abbreviates it: one PCIe switch, several, a host bridge, a NUMA node, beyond
_PCIE: Mapping[int | None, str] = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
