"""The processes of a training: which one this is, and what rank 0 tells the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def place() -> tuple[int, int]:
    """This process's rank and how many there are: as torch's process group says, else as the launcher does."""
    dist = _distributed()
    if dist is not None:
        return int(dist.get_rank()), int(dist.get_world_size())
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def told(work: Callable[[], Any]) -> Any:
    """What `work` returns on rank 0, on every rank; what it raises there, every rank raises.

    Raises `RuntimeError` if there are several processes and no process group yet.
    """
    rank, world = place()
    if world == 1:
        return work()
    dist = _distributed()
    if dist is None:
        raise RuntimeError("several processes are measured from when torch.distributed is initialized")
    found: list[Any] = [None]
    if rank == 0:
        try:
            found = [(True, work())]
        except Exception as error:
            found = [(False, error)]
    dist.broadcast_object_list(found, src=0)
    good, value = found[0]
    if not good:
        raise value
    return value


def _distributed() -> Any:
    """torch.distributed, if this process has a process group."""
    if "torch" not in sys.modules:
        return None
    import torch.distributed as dist

    return dist if dist.is_available() and dist.is_initialized() else None
