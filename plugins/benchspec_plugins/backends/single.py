"""One process on one device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from benchspec import Backend, Engine, hookimpl
from benchspec_plugins.backends.devices import on_own_accelerator, own_device


class Single(Backend):
    """One process on one device: no wrapper, no communication."""

    name = "single"
    processes: ClassVar[int | None] = 1

    def arguments(self) -> dict[str, Any]:
        # A launcher's LOCAL_RANK alone would make accelerate wrap the model for a group of one.
        if os.environ.get("WORLD_SIZE", "1") == "1":
            os.environ.pop("LOCAL_RANK", None)
        return {}

    def trainer(self, cls: type) -> type:
        class OneDevice(cls):  # type: ignore[misc]
            """Trainer that uses one accelerator only; by default it would spread each batch over all of them."""

            def __init__(self, *args: Any, **kwargs: Any):
                kwargs["args"]._n_gpu = min(1, kwargs["args"].n_gpu)
                super().__init__(*args, **kwargs)

        return OneDevice

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        model.to(own_device())
        return Engine(model, optimizer(model), train)

    def building(self) -> AbstractContextManager[Any]:
        return on_own_accelerator()

    def prove(self, model: Any) -> dict[str, Any]:
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world != 1:
            raise RuntimeError(f"the backend 'single' is for one process, and this group has {world}")
        if model.__class__.__name__ in ("DistributedDataParallel", "DataParallel"):
            raise RuntimeError(f"the model is wrapped in {model.__class__.__name__}, though one process trains it")
        odd = sorted({type(parameter.data).__name__ for parameter in model.parameters()} - {"Tensor"})
        if odd:
            raise RuntimeError(f"the model has parameters that are not plain tensors: {', '.join(odd)}")
        return {"sharding": "none", "world": 1, "total_parameters": sum(p.numel() for p in model.parameters())}


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [Single]
