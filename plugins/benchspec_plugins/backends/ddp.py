"""A whole model on each process, gradients averaged: torch's DistributedDataParallel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from benchspec import Backend, Engine, hookimpl
from benchspec_plugins.backends.devices import join_group, on_own_accelerator, own_device
from benchspec_plugins.backends.equal import differing_parameters


class Ddp(Backend):
    """A whole model on each process, its gradients averaged over all of them during a step's last backward pass.

    With one process there is nothing to average, and Trainer wraps the model on a CPU only. In a recipe's own loop
    gradients are views of DDP's buckets, which saves a copy of them: 4 bytes a parameter less than under Trainer.
    """

    name = "ddp"

    def arguments(self) -> dict[str, Any]:
        # Every parameter of a causal model is used in every step, so a search for unused ones would only cost time.
        return {"ddp_find_unused_parameters": False}

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        from torch.nn.parallel import DistributedDataParallel

        join_group()
        device = own_device()
        model.to(device)
        devices = None if device.type == "cpu" else [device]
        # Gradients that are views of the buckets save a copy of all gradients.
        wrapped = DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)
        return DdpEngine(wrapped, optimizer(model), train)

    def building(self) -> AbstractContextManager[Any]:
        return on_own_accelerator()

    def prove(self, model: Any) -> dict[str, Any]:
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        launched, total = int(os.environ.get("WORLD_SIZE", "1")), sum(p.numel() for p in model.parameters())
        if launched == 1:
            return {"sharding": "none", "world": 1, "total_parameters": total}
        if not isinstance(model, DistributedDataParallel):
            raise RuntimeError(f"the model is a {type(model).__name__}, not wrapped in DistributedDataParallel")
        world = dist.get_world_size(model.process_group)
        if world != launched:
            raise RuntimeError(f"DistributedDataParallel spans {world} processes of the {launched} that were launched")
        if differing := differing_parameters(model):
            raise RuntimeError(f"parameters differ between ranks, the first of {len(differing)} is {differing[0]}")
        return {"sharding": "none", "world": world, "total_parameters": total}


class DdpEngine(Engine):
    """A model in DistributedDataParallel, and its optimizer."""

    @contextmanager
    def computing(self, last: bool) -> Iterator[None]:
        # It must surround the forward pass too, in which DDP decides whether the backward pass reduces.
        with super().computing(last), nullcontext() if last else self.module.no_sync():
            yield

    def _clear(self) -> None:
        # As views of the buckets they stay: micro-batches are added up there.
        self.optimizer.zero_grad(set_to_none=False)

    def _network(self) -> Any:
        return self.module.module


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [Ddp]
