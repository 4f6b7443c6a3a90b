"""A model distributed over processes, and its optimizer, for recipes with their own training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Engine:
    """A model distributed over processes, with its optimizer: the return value of `Backend.spread`.

    A backend overrides what it does differently; this base class keeps a whole model on one device and does not
    communicate. One step of a training loop, on every rank:

        for number, batch in enumerate(batches, start=1):
            with engine.computing(last=number == len(batches)):
                loss = engine.module(**batch).loss
                engine.backward(loss)
        grad_norm = engine.step()
    """

    def __init__(self, module: Any, optimizer: Any, train: Mapping[str, Any]):
        #: the model, or its wrapper: the training loop calls it, and `Backend.prove` checks it
        self.module = module
        #: the `torch.optim.Optimizer`; a scheduler may set the learning rates in its `param_groups`
        self.optimizer = optimizer
        #: the fields of a case's `train`
        self.train = train

    @contextmanager
    def computing(self, last: bool) -> Iterator[None]:
        """A context around the forward and backward pass of one micro-batch; it applies `train.precision`.

        `last` marks the last micro-batch of an optimizer step: when that context exits, gradients have been averaged
        over the ranks. A backend may also average them after the others. All ranks enter it equally often.
        """
        import torch

        device = next(self.module.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.train["precision"] == "bf16"):
            yield

    def backward(self, loss: Any) -> None:
        """Accumulate the gradients of this rank's loss, a scalar tensor; gradients are averaged over the ranks."""
        import torch

        # torch advises against autocast here: backward uses the types that forward used.
        with torch.autocast(loss.device.type, enabled=False):
            loss.backward()

    def step(self) -> float:
        """Clip gradients to `train.max_grad_norm`, update the parameters and clear the gradients.

        Returns the gradient norm over all ranks, before clipping.
        """
        import torch

        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.train["max_grad_norm"])
        self.optimizer.step()
        self._clear()
        return self._whole(norm)

    def _clear(self) -> None:
        """Clear the gradients; overridden by backends that keep their memory."""
        self.optimizer.zero_grad(set_to_none=True)

    def _whole(self, norm: Any) -> float:
        """The norm as a number; overridden by backends that shard gradients, to reduce it over the ranks."""
        return float(norm)

    def save(self, folder: str, tokenizer: Any) -> None:
        """Save the whole model and the tokenizer to a folder, as `save_pretrained` does. Call it on every rank."""
        import torch.distributed as dist

        together = dist.is_available() and dist.is_initialized()
        weights = self._weights()
        if not together or dist.get_rank() == 0:
            self._network().save_pretrained(folder, state_dict=weights)
            tokenizer.save_pretrained(folder)
        if together:
            dist.barrier()

    def _network(self) -> Any:
        """The model itself; overridden by backends that wrap it."""
        return self.module

    def _weights(self) -> Any:
        """The whole model's state dict, on rank 0, gathered by backends that shard it. None: use the model's own."""
        return None
