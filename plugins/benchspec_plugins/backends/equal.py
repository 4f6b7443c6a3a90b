"""Whether ranks that each have a whole model have the same one."""

from __future__ import annotations

from typing import Any


def differing_parameters(model: Any) -> list[str]:
    """Parameters whose sum is not the same on every rank, to the last bit."""
    import torch
    import torch.distributed as dist

    names, sums = zip(
        *((name, p.detach().sum(dtype=torch.float64)) for name, p in model.named_parameters()), strict=True
    )
    lowest = torch.stack(sums)
    highest = lowest.clone()
    dist.all_reduce(lowest, dist.ReduceOp.MIN)
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    return [name for name, equal in zip(names, (lowest == highest).tolist(), strict=True) if not equal]
