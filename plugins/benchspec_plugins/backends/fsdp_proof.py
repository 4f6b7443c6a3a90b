"""What a rank really holds of a model that FSDP2 has sharded: of its parameters, and of its gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def parameter_elements(model: Any, world: int) -> tuple[int, int]:
    """This rank's and all elements; raises unless every parameter is split over all ranks, and evenly."""
    import torch
    import torch.distributed as dist
    from torch.distributed.tensor import DTensor

    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if not isinstance(parameter, DTensor):
            raise RuntimeError(f"{name} is not sharded")
        if parameter.device_mesh.size() != world or not all(place.is_shard() for place in parameter.placements):
            raise RuntimeError(f"{name} is spread as {parameter.placements} over {parameter.device_mesh.size()} ranks")
    shards = [parameter.to_local() for parameter in parameters.values()]
    local, total = (sum(p.numel() for p in each) for each in (shards, parameters.values()))
    # A tensor is split by its first dimension, so the ranks before the last hold the next whole number of rows.
    share = sum(-(-p.shape[0] // world) * (p.numel() // p.shape[0]) for p in parameters.values())
    together = torch.tensor(local, device=shards[0].device)
    dist.all_reduce(together)
    if local > share or together.item() != total:
        raise RuntimeError(f"this rank holds {local} of {total} parameters, all {world} ranks {together.item()}")
    return local, total


class Gradients:
    """The elements of gradients that this rank holds between two micro-batches of a step, counted once."""

    def __init__(self) -> None:
        #: None: not counted, since no step had a second micro-batch
        self.elements: int | None = None

    def count(self, model: Any) -> None:
        """Count them, if that was not done before; to be called after a micro-batch that others follow."""
        if self.elements is None:
            self.elements = sum(gradient.numel() for gradient in _gradients(model))


def _gradients(model: Any) -> Iterator[Any]:
    """Every gradient that FSDP2 keeps on this rank: a shard, or whole where it has not crossed the ranks yet."""
    from torch.distributed.fsdp import FSDPModule

    states = {module._get_fsdp_state() for module in model.modules() if isinstance(module, FSDPModule)}
    groups: list[Any] = [state._fsdp_param_group for state in states if state._fsdp_param_group]
    for parameter in (parameter for group in groups for parameter in group.fsdp_params):
        if (shard := parameter.sharded_param.grad) is not None:
            yield shard.to_local()
        # In the precision of the computation, or already in that of the reduction.
        whole = getattr(parameter, "_unsharded_param", None)
        for gradient in (getattr(whole, "grad", None), parameter.unsharded_accumulated_grad):
            if gradient is not None:
                yield gradient
