"""The device that a rank computes on, its energy, and the memory used there and on the host."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchspec.machine import nvml
from benchspec.terms.errors import BenchspecError

if TYPE_CHECKING:
    import torch

    from benchspec.results.events import Event

#: seconds after which NCCL's monitor takes a rank's silence for a hang: as long as backends let a collective take
NCCL_HEARTBEAT = 2 * 3600


def choose() -> torch.device:
    """This rank's accelerator, made torch's current device, or the CPU if there is none; raises for unusable GPUs."""
    import torch

    gpus, here = len(nvml.accelerators()), torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and not here:
        raise BenchspecError(
            f"the driver sees {gpus} GPUs but torch {torch.__version__} sees none, so this would run on the CPU; "
            "install a torch built for this driver's CUDA, or set CUDA_VISIBLE_DEVICES= to use the CPU"
        )
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if 1 < here < local:
        raise BenchspecError(f"launcher.processes asks for {local} processes on a host with {here} GPUs")
    if not here:
        return torch.device("cpu")
    if here == 1 and "LOCAL_RANK" in os.environ:
        # A scheduler gives each rank its own as the only one. Libraries take LOCAL_RANK for the number of a device.
        os.environ["LOCAL_RANK"] = "0"
    # NCCL's own monitor ends a rank that waits in a call for 8 minutes, such as for one that writes a large checkpoint.
    # `limits.stall` and the collectives' time limit are for that.
    os.environ.setdefault("TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC", str(NCCL_HEARTBEAT))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device


def described(device: torch.device) -> dict[str, Any]:
    """The accelerator as torch knows it: `name`, `uuid` as NVML writes it, `memory` in bytes, and `mig`: a slice."""
    import torch

    found = torch.cuda.get_device_properties(device)
    uuid = str(getattr(found, "uuid", None) or "")
    return {
        "name": found.name,
        # Zeros are a driver's word for none.
        "uuid": f"GPU-{uuid}" if uuid.strip("0-") else None,
        "memory": found.total_memory,
        "mig": " MIG " in found.name,
    }


def check_own(rank: int, ranks: Mapping[int, Sequence[Event]]) -> None:
    """Raise `BenchspecError` if another rank has the same accelerator; `ranks` are the events of all ranks so far.

    Each rank writes down its own accelerator before it looks, so at least one of two sees the other. Slices of one GPU
    cannot be told apart here, nor GPUs of a driver that gives them no UUID.
    """
    mine = _place(ranks[rank])
    if mine is None:
        return
    same = [str(other) for other, events in ranks.items() if _place(events) == mine]
    if len(same) > 1:
        raise BenchspecError(
            f"ranks {', '.join(same)} have the same GPU, {mine[1]}; start as many processes as GPUs are visible "
            "(launcher.processes), or let the scheduler give each process its own, or set CUDA_VISIBLE_DEVICES= to use "
            "the CPU"
        )


def _place(events: Sequence[Event]) -> tuple[str, str] | None:
    """The host and the UUID of a rank's whole accelerator; None if one of them is not known."""
    host = next((event.get("host") for event in events if event["event"] == "start"), None)
    device = next((event for event in events if event["event"] == "device"), None)
    if not host or device is None or device["mig"] or not device["uuid"]:
        return None
    return host, device["uuid"]


def joules(device: torch.device) -> float | None:
    """The energy in joules that an accelerator has used since its driver was loaded; None if it has no counter."""
    if device.type != "cuda":
        return None
    found = described(device)
    return None if found["mig"] else nvml.joules(found["uuid"])


def finish_work() -> None:
    """Wait until the accelerator has done what was asked of it: it works on while Python goes on."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def free_memory() -> None:
    """Give back what nothing needs any more, also the accelerator's memory that torch keeps for later."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_memory_peaks() -> None:
    """Reset the accelerator's peak counters."""
    import torch

    if torch.cuda.is_available():
        # What building and sharding left in the allocator is not training's.
        free_memory()
        torch.cuda.reset_peak_memory_stats()


def reset_host_peak() -> None:
    """Have the host's peak counted from here on, where the kernel can: Linux's."""
    import gc

    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def memory_peaks() -> dict[str, int | None]:
    """This process's peaks in bytes: allocated and reserved on the accelerator, and resident on the host."""
    import torch

    gpu = torch.cuda.is_available()
    return {
        "allocated": torch.cuda.max_memory_allocated() if gpu else None,
        "reserved": torch.cuda.max_memory_reserved() if gpu else None,
        **host_peak(),
    }


def host_peak() -> dict[str, int]:
    """This process's peak of resident bytes, without asking torch."""
    # Linux carries the other count over from what the process was before it became this program.
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return {"host": next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024}
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
