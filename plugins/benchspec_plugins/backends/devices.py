"""The device of a process, and its process group."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

#: how long ranks wait for the one that reads or downloads a checkpoint
PATIENCE = timedelta(hours=2)


def own_device() -> Any:
    """This process's accelerator, which benchspec has made torch's current one, or the CPU where there is none."""
    import torch

    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def on_own_accelerator() -> AbstractContextManager[Any]:
    """A context that builds on this process's accelerator; otherwise the host would hold a copy for each process."""
    import torch

    return own_device() if torch.cuda.is_available() else nullcontext()


def join_group() -> None:
    """Make the process group, unless there is one."""
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
