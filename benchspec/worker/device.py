"""The device that a rank computes on, its energy, and the memory used there and on the host."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from benchspec.machine import nvml
from benchspec.terms.errors import BenchspecError

if TYPE_CHECKING:
    import torch


def choose() -> torch.device:
    """This rank's accelerator, made torch's current device, or the CPU if there is none; raises for unusable GPUs."""
    import torch

    gpus = nvml.accelerators()
    if gpus and not torch.cuda.is_available():
        raise BenchspecError(
            f"the driver sees {len(gpus)} GPUs but torch {torch.__version__} sees none, so this would run on the CPU; "
            "install a torch built for this driver's CUDA, or set CUDA_VISIBLE_DEVICES= to use the CPU"
        )
    local, here = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if 0 < here < local:
        raise BenchspecError(f"launcher.processes asks for {local} processes on a host with {here} GPUs")
    if not here:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device


def joules(device: torch.device) -> float | None:
    """The energy in joules that an accelerator has used since its driver was loaded; None if it has no counter."""
    import torch

    return nvml.joules(f"GPU-{torch.cuda.get_device_properties(device).uuid}") if device.type == "cuda" else None


def reset_memory_peaks() -> None:
    """Reset the accelerator's peak counters; the host's cannot be reset."""
    import gc

    import torch

    if torch.cuda.is_available():
        # What building and sharding left in the allocator is not training's.
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory_peaks() -> dict[str, int | None]:
    """This process's peaks in bytes: allocated and reserved on the accelerator, and resident on the host."""
    import torch

    gpu = torch.cuda.is_available()
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "allocated": torch.cuda.max_memory_allocated() if gpu else None,
        "reserved": torch.cuda.max_memory_reserved() if gpu else None,
        "host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
