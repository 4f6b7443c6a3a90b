"""A model that is spread over processes, and its optimizer, for recipes with a training loop of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Engine:
    """What `Backend.spread` returns; this base class serves a whole model on each device, without communication.

    A step of a training loop, on every rank alike:

        for number, batch in enumerate(batches, start=1):
            with engine.computing(last=number == len(batches)):
                loss = engine.module(**batch).loss
                engine.backward(loss)
        grad_norm = engine.step()

    A backend overrides what differs.
    """

    def __init__(self, module: Any, optimizer: Any, train: Mapping[str, Any]):
        #: what the loop calls, and what `Backend.prove` is shown: the model, or what wraps it
        self.module = module
        #: the `torch.optim.Optimizer`; a scheduler may set the learning rates in its `param_groups`
        self.optimizer = optimizer
        #: the fields of a case's `train`
        self.train = train

    @contextmanager
    def computing(self, last: bool) -> Iterator[None]:
        """A context around the forward and the backward pass of one micro-batch, in `train.precision`.

        `last` says that it is the optimizer step's last one: when that ends, gradients have crossed the ranks. Whether
        they do after the others too is the backend's choice. All ranks enter it equally often.
        """
        import torch

        device = next(self.module.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.train["precision"] == "bf16"):
            yield

    def backward(self, loss: Any) -> None:
        """Add the gradients of this rank's loss, a scalar tensor; over the ranks, gradients are averaged."""
        import torch

        # torch advises against autocast here: backward takes the types that forward took.
        with torch.autocast(loss.device.type, enabled=False):
            loss.backward()

    def step(self) -> float:
        """Clip gradients to `train.max_grad_norm`, update the parameters, clear the gradients.

        Returns the norm of the gradients of all ranks before clipping.
        """
        import torch

        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.train["max_grad_norm"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return self._whole(norm)

    def _whole(self, norm: Any) -> float:
        """A norm as a number; a backend whose gradients are in shards gathers it."""
        return float(norm)

    def save(self, folder: str, tokenizer: Any) -> None:
        """Write the whole model and the tokenizer into a folder, as `save_pretrained` does; every rank calls it."""
        import torch.distributed as dist

        together = dist.is_available() and dist.is_initialized()
        weights = self._weights()
        if not together or dist.get_rank() == 0:
            self._network().save_pretrained(folder, state_dict=weights)
            tokenizer.save_pretrained(folder)
        if together:
            dist.barrier()

    def _network(self) -> Any:
        """The model itself; a backend that wraps it unwraps it."""
        return self.module

    def _weights(self) -> Any:
        """The whole model's state dict, on rank 0; a backend that splits weights up gathers them. None: as they lie."""
        return None
