"""A loop of one's own, measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchspec.measuring import group
from benchspec.measuring.session import Session
from benchspec.measuring.training import case_of, described, model_settings


class Loop:
    """A training loop that is measured; it reports its optimizer steps."""

    def __init__(self, session: Session):
        self._session = session

    def step(
        self,
        rows: int,
        tokens: int | None = None,
        padded_tokens: int | None = None,
        loss_tokens: int | None = None,
        loss: float | None = None,
        grad_norm: float | None = None,
    ) -> None:
        """An optimizer step has ended: this rank's rows and tokens (real, with padding, labelled), as far as known.

        `loss` is the mean over all ranks' labelled tokens, `grad_norm` the norm over all ranks; plain numbers. On an
        accelerator, call it when the step's work is done: reading the loss waits for that.
        """
        counts = {"rows": rows, "tokens": tokens, "padded_tokens": padded_tokens, "loss_tokens": loss_tokens}
        for name, count in counts.items():
            if count is not None and (type(count) is not int or count < 0):
                raise TypeError(f"{name} is {count!r}; give a whole number from 0, such as int({name})")
        for name, value in (("loss", loss), ("grad_norm", grad_norm)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise TypeError(f"{name} is a {type(value).__name__}; give a plain number, such as float({name})")
        if self._session.recorder is None:
            raise RuntimeError("this training has ended: call step within the block of `with measure(…)`")
        self._session.recorder.step(**counts, loss=_float(loss), grad_norm=_float(grad_norm))  # type: ignore[arg-type]


def _float(value: float | None) -> float | None:
    """A number as a float; an integer that is too large for one is infinite."""
    try:
        return None if value is None else float(value)
    except OverflowError:
        return math.inf


@contextmanager
def measure(folder: str | Path, *, name: str | None = None, model: Any = None) -> Iterator[Loop]:
    """Measure a training loop: `with measure("runs/mine", model=model) as m:` and `m.step(rows)` after each step.

    `folder` and `name` are as for `Measure`. With a `model`, its size is recorded and whether its parameters changed.
    With several processes, enter it on all of them, once torch.distributed is initialized.
    """
    session = Session(folder, name)
    settings = model_settings(model) if model is not None else {"name": "own"}
    # A loop says nothing of its settings; its rows a step show in what is measured.
    recorder = session.begin(
        lambda: case_of(settings, {"name": "own", "rows": None}, _TRAIN, "own", group.place()[1]), model
    )
    if model is not None:
        recorder.add("model", **described(model, precision="unknown", tf32=False))
    try:
        yield Loop(session)
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            session.end()
        else:
            session.fail(error)
        raise
    session.end()


#: what is read of the settings of any case, where nothing is known; `reduce` takes every step as a full one then
_TRAIN = {"batch_size": None, "gradient_accumulation": None, "precision": None, "max_steps": None}
