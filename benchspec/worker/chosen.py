"""What of a case's choices training really used: its attention, compiled blocks, its optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: `train.optimizer` -> the classes that are it; DeepSpeed has one of its own for states in host memory
CLASSES = {
    "adamw": ("AdamW", "DeepSpeedCPUAdam"),
    "adamw_fused": ("AdamW",),
    "adafactor": ("Adafactor",),
    "adamw_8bit": ("AdamW8bit", "AdamW"),
}


class Optimizers:
    """The classes of the optimizers that take a step, as torch tells of every one that derives from its own."""

    def __init__(self) -> None:
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        #: class name -> whether its kernels are fused
        self.seen: dict[str, bool] = {}
        register_optimizer_step_pre_hook(self._see)

    def _see(self, optimizer: Any, *_: Any) -> None:
        self.seen[type(optimizer).__name__] = bool(optimizer.param_groups[0].get("fused"))


def prove(network: Any, optimizers: Optimizers, train: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What was used; raises `RuntimeError` if that is not what the spec asks for.

    `train` are the fields of the case's `train`, `said` those that the spec names: a recipe may have an optimizer of
    its own if the spec names none.
    """
    attention = getattr(getattr(network, "config", None), "_attn_implementation", None)
    used = ", ".join(optimizers.seen) or None
    if said.get("optimizer") and optimizers.seen:
        _check_optimizer(str(train["optimizer"]), optimizers.seen)
    return {"attention": attention, "optimizer": used, "compiled_graphs": _graphs(train)}


def _check_optimizer(wanted: str, seen: Mapping[str, bool]) -> None:
    if other := [name for name in seen if name not in CLASSES[wanted]]:
        raise RuntimeError(f"the recipe trained with {', '.join(other)}, though train.optimizer is {wanted}")
    if wanted == "adamw_fused" and not all(seen.values()):
        raise RuntimeError("AdamW's kernels were not fused, though train.optimizer is adamw_fused")


def _graphs(train: Mapping[str, Any]) -> int | None:
    if not train.get("compile"):
        return None
    from torch._dynamo.utils import counters

    compiled = int(counters["stats"]["unique_graphs"])
    if not compiled:
        raise RuntimeError("no block was compiled, though train.compile is true")
    return compiled
