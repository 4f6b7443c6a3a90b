"""Proof that a model learned: reject a throughput unless it did."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchspec.kinds.faults import returned, wrong
from benchspec.terms import strict

if TYPE_CHECKING:
    from benchspec.kinds.bases import Backend

#: values sampled from each parameter, to check whether training changed it
SAMPLE = 64
#: characters of a backend's evidence, which stands in the journal, and levels of lists and mappings in it
MOST, DEEPEST = 100_000, 20


@dataclass
class Steps:
    """Checks over the optimizer steps of a rank so far."""

    count: int = 0
    any_gradient: bool = False

    def add(self, grad_norm: float | None) -> None:
        self.count += 1
        self.any_gradient |= bool(finite(grad_norm))


def check_step(step: int, loss: float, grad_norm: float | None, loss_tokens: int) -> None:
    """Raise `RuntimeError` if a step's loss or gradient is not finite.

    Its update is already applied, or DeepSpeed has left it out: no later step makes good either. Without a labelled
    token, because `train.max_length` cut off every answer, a loss is 0 / 0.
    """
    if not math.isfinite(loss):
        advice = "; this rank had no answer within train.max_length: raise train.max_length or train.batch_size"
        said = f"the loss of step {step} was not finite, so the model did not learn"
        raise RuntimeError(f"{said}{'' if loss_tokens else advice}")
    if grad_norm is not None and not math.isfinite(grad_norm):
        raise RuntimeError(f"the gradient of step {step} was not finite, so the model did not learn")


def finite(value: float | None) -> float | None:
    """The value, or None if it is infinite or NaN, which JSON does not have."""
    return value if value is not None and math.isfinite(value) else None


def dtypes(network: Any) -> str:
    """The types of the parameters, such as `float32`."""
    return ", ".join(sorted({str(parameter.dtype).removeprefix("torch.") for parameter in network.parameters()}))


def snapshot(network: Any, local: Callable[[Any], Any]) -> dict[str, Any]:
    """A few values of every trained parameter, by name; `local` is `Backend.local`.

    If the backend shards parameters, the values are from this rank's shard; a parameter without one here is left out.
    """
    return {
        name: _sample(part)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and (part := local(parameter)).numel()
    }


def _sample(part: Any) -> Any:
    flat = part.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLE)].clone()


def learned(steps: Steps, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence that the model learned, from a rank's steps and its snapshots before and after training.

    Raises `RuntimeError` if it did not.
    """
    _check_steps(steps)
    try:
        found = changed(before, after)
    except RuntimeError as error:
        only = "; in the only step, a warm-up's learning rate is 0: train more, or set train.warmup_ratio to 0"
        raise RuntimeError(f"{error}{only if steps.count == 1 else ''}") from error
    return {"finite_losses": True, "grad_norm_nonzero": True, **found}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """How many parameters training changed, by snapshots before and after it.

    Raises `RuntimeError` if they were fewer than half, or values are not finite.
    """
    if broken := next((name for name, values in after.items() if not bool(values.isfinite().all())), None):
        raise RuntimeError(f"training left values in {broken} that are not finite, so the model did not learn")
    count = sum(not bool((after[name] == values).all()) for name, values in before.items() if name in after)
    if 2 * count < len(before):
        raise RuntimeError(f"training changed {count} of {len(before)} parameters, so the model did not learn")
    return {"parameters_changed": count, "parameters_checked": len(before)}


def _check_steps(steps: Steps) -> None:
    if not steps.count:
        raise RuntimeError("the recipe reported no optimizer step")
    if not steps.any_gradient:
        raise RuntimeError("the gradient was zero, or never reported, in every step, so the model did not learn")


def shown(backend: Backend, trained: Any) -> dict[str, Any]:
    """A backend's evidence on what was trained; raises `PluginError` if it is none that can be kept."""
    found = returned(backend.prove, backend.prove(trained), Mapping, "a mapping with the evidence")
    try:
        # A number of numpy or torch is kept as a plain one.
        text = json.dumps(dict(found), default=lambda value: value.item(), allow_nan=False)
        kept = strict.parse(text.encode())
    except Exception:
        raise wrong(backend.prove, found, "a mapping of names to plain JSON values") from None
    if len(text) > MOST or not strict.is_shallow(kept, DEEPEST):
        raise wrong(backend.prove, found, f"evidence of at most {MOST:,} characters and {DEEPEST} levels")
    return {name: value for name, value in kept.items() if name not in ("event", "time", "clock", "at")}
