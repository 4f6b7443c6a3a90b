"""The device that a rank computes on, and the memory that is used there and on the host."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from benchspec.machine import nvml
from benchspec.terms.errors import BenchspecError

if TYPE_CHECKING:
    import torch


def take() -> torch.device:
    """Choose this rank's accelerator, or the CPU where there is none; raises where a GPU cannot be used as asked."""
    import torch

    gpus = nvml.accelerators()
    if gpus and not torch.cuda.is_available():
        raise BenchspecError(
            f"the driver sees {len(gpus)} GPUs and torch {torch.__version__} sees none, so this would run on the CPU; "
            "install a torch built for this driver's CUDA, or set CUDA_VISIBLE_DEVICES= to mean the CPU"
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
    """The energy that an accelerator has used since its driver was loaded; None where nothing counts it."""
    import torch

    return nvml.joules(f"GPU-{torch.cuda.get_device_properties(device).uuid}") if device.type == "cuda" else None


def reset_memory_peaks() -> None:
    """Restart the accelerator's peaks; the host's cannot be reset."""
    import gc

    import torch

    if torch.cuda.is_available():
        # What building and sharding left in the allocator is not training's.
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory_peaks() -> dict[str, int | None]:
    """The peaks of this process in bytes: in tensors and held on its accelerator, and resident on the host."""
    import torch

    gpu = torch.cuda.is_available()
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "allocated": torch.cuda.max_memory_allocated() if gpu else None,
        "reserved": torch.cuda.max_memory_reserved() if gpu else None,
        "host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
