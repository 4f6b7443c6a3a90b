"""Proof that a model learnt: a throughput is worth nothing without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: values of each parameter that are kept to see whether training changed it
SAMPLE = 64


@dataclass
class Steps:
    """What the optimizer steps of a rank come to."""

    count: int = 0
    all_finite: bool = True
    #: steps in which this rank had nothing to learn: no answer was left within `train.max_length`
    idle: int = 0
    any_gradient: bool = False

    def add(self, loss: float, grad_norm: float | None, loss_tokens: int) -> None:
        self.count += 1
        self.idle += not loss_tokens
        self.all_finite &= math.isfinite(loss)
        self.any_gradient |= bool(finite(grad_norm))


def finite(value: float | None) -> float | None:
    """The value, or None where it is infinite or no number, which JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None


def snapshot(network: Any) -> dict[str, Any]:
    """A few values of this rank's part of every parameter that learns."""
    return {
        name: _sample(local)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and (local := _local(parameter)).numel()
    }


def _sample(local: Any) -> Any:
    flat = local.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLE)].clone()


def _local(parameter: Any) -> Any:
    """This rank's part of a parameter: ZeRO-3 keeps it in `ds_tensor`, FSDP2 in a DTensor."""
    part = getattr(parameter, "ds_tensor", parameter)
    return part.to_local() if hasattr(part, "to_local") else part


def numel(parameter: Any) -> int:
    """Elements of the whole parameter, of which ZeRO-3 leaves only a part in place."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def dtypes(network: Any) -> str:
    return ", ".join(sorted({str(parameter.dtype).removeprefix("torch.") for parameter in network.parameters()}))


def learnt(network: Any, before: Mapping[str, Any], steps: Steps) -> dict[str, Any]:
    """Proof that the model learnt: a throughput is worth nothing without. Raises `RuntimeError` where it did not."""
    if not steps.count:
        raise RuntimeError("the recipe reported no optimizer step")
    if not steps.all_finite:
        cut = f"; {steps.idle} steps had no answer within train.max_length: raise it, or train.batch_size" * bool(
            steps.idle
        )
        raise RuntimeError(f"the loss was not finite in at least one step, so the model did not learn{cut}")
    if not steps.any_gradient:
        raise RuntimeError("the gradient was zero, or never reported, in every step, so the model did not learn")
    after = snapshot(network)
    if broken := next((name for name, value in after.items() if not bool(value.isfinite().all())), None):
        raise RuntimeError(f"training left values in {broken} that are not finite, so the model did not learn")
    changed = sum(not bool((after[name] == value).all()) for name, value in before.items() if name in after)
    if 2 * changed < len(before):
        raise RuntimeError(f"training changed {changed} of {len(before)} parameters, so the model did not learn")
    return {
        "finite_losses": True,
        "grad_norm_nonzero": True,
        "parameters_changed": changed,
        "parameters_checked": len(before),
        "dtype": dtypes(network),
    }
