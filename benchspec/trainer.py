"""Measure a training script of your own, with `transformers.Trainer` or with a loop of its own.

    from benchspec.trainer import Measure

    trainer = Trainer(..., callbacks=[Measure("runs/mine")])

    from benchspec.trainer import measure

    with measure("runs/mine", model=model) as m:
        for batch in batches:
            ...
            m.step(rows=len(batch), loss=loss.item())

Under torchrun, accelerate or another launcher, the same lines measure all processes. Afterwards, `benchspec report
runs/mine` shows the result; a further training in the same folder is a further launch, by which `benchspec compare` and
`benchspec history` judge. docs/trainer.md says what is measured and what cannot be seen from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchspec.measuring.loop import Loop as Loop, measure as measure

if TYPE_CHECKING:
    from benchspec.measuring.callback import Measure as Measure

__all__ = ["Loop", "Measure", "measure"]


def __getattr__(name: str) -> Any:
    # Only the callback needs transformers.
    if name == "Measure":
        from benchspec.measuring.callback import Measure

        return Measure
    raise AttributeError(f"module 'benchspec.trainer' has no attribute '{name}'")
