"""The evidence of one rank of a script's own training, as a worker writes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchspec.machine.host import host
from benchspec.results.events import EventLog
from benchspec.terms.outcomes import FIRST_STEP, STEADY
from benchspec.worker import device, proof
from benchspec.worker.failure import outcome_of, reason_of


class Recorder:
    """Writes the events of a rank.

    What goes wrong with the files after the beginning is said once on stderr, and the training goes on unmeasured.
    """

    def __init__(self, attempt: Path, rank: int, world: int):
        self.attempt = attempt
        self.rank = rank
        self._log = EventLog(attempt, rank)
        #: whether an event could not be written
        self.broken = False
        #: the phases that have begun and not ended, the innermost last
        self._open: list[str] = []
        self._steps = 0
        self._gradient: bool | None = None
        #: whether every loss was finite; None: none was reported
        self._finite: bool | None = None
        self._model: Any = None
        self._before: dict[str, Any] = {}
        self._joules: float | None = None
        self.add("start", rank=rank, world=world, pid=os.getpid(), host=host())

    def add(self, event: str, *, at: float | None = None, **fields: Any) -> None:
        if self.broken:
            return
        try:
            self._log.add(event, at=at, **fields)
        except (OSError, ValueError) as error:
            self.broken = True
            print(f"benchspec: {self.attempt}: {error}; this training is no longer measured", file=sys.stderr)  # noqa: T201

    def begin(self, model: Any = None) -> None:
        """Training begins now; the model's parameters are compared with what they are at the end."""
        self._model = model
        self._before = _snapshot(model)
        if _gpu():
            import torch

            self.add("device", **device.described(torch.device("cuda", torch.cuda.current_device())))
            device.finish_work()
            device.reset_memory_peaks()
            self._joules = _joules()
        self.enter("train")
        self.enter(FIRST_STEP)

    def enter(self, phase: str, *, at: float | None = None) -> None:
        self._open.append(phase)
        self.add("begin", phase=phase, at=at)

    def leave(self, phase: str) -> None:
        """End a phase and those that are open within it; nothing if it is not open."""
        while phase in self._open:
            self.add("end", phase=self._open.pop())

    def is_in(self, phase: str) -> bool:
        return phase in self._open

    def step(
        self,
        *,
        rows: int,
        tokens: int | None = None,
        padded_tokens: int | None = None,
        loss_tokens: int | None = None,
        loss: float | None = None,
        grad_norm: float | None = None,
        at: float | None = None,
    ) -> None:
        """An optimizer step has ended, now or at a moment of the monotonic clock."""
        self._steps += 1
        self.saw(loss, grad_norm)
        counts = {"rows": rows, "tokens": tokens, "padded_tokens": padded_tokens, "loss_tokens": loss_tokens}
        losses = {"loss": proof.finite(loss), "grad_norm": proof.finite(grad_norm)}
        self.add("step", at=at, step=self._steps, **counts, **losses)
        if self._open[-1:] == [FIRST_STEP]:
            self.leave(FIRST_STEP)
            self.enter(STEADY)

    def saw(self, loss: float | None, grad_norm: float | None) -> None:
        """A loss or a gradient norm, of a step or of several."""
        if loss is not None:
            self._finite = self._finite is not False and proof.finite(loss) is not None
        if grad_norm is not None:
            self._gradient = bool(self._gradient) or bool(proof.finite(grad_norm))

    def end(self) -> None:
        """Training has ended: whether the model learned, memory, energy, and that this rank is done."""
        if _gpu():
            device.finish_work()
        self.leave("train")
        now = _joules() if _gpu() else None
        if now is not None and self._joules is not None:
            self.add("energy", joules=max(0.0, now - self._joules))
        self.add("memory", **_memory())
        try:
            learned = self._learned()
        except RuntimeError as error:
            self.add("failure", outcome="crash", phase="train", reason=str(error))
            return
        self.add("proof", **learned)
        self.add("done")

    def fail(self, error: BaseException) -> None:
        """The training was ended by an exception."""
        phase = self._open[-1] if self._open else "train"
        self.add("failure", outcome=outcome_of(error), phase=phase, reason=reason_of(error))
        self.add("memory", **_memory())

    def _learned(self) -> dict[str, Any]:
        """Evidence that the model learned, as far as can be seen; raises `RuntimeError` if it did not."""
        if not self._steps:
            raise RuntimeError("no optimizer step was seen")
        if self._finite is False:
            raise RuntimeError("the loss was not finite, so the model did not learn")
        if self._gradient is False:
            raise RuntimeError("the gradient was zero in every step, so the model did not learn")
        seen = {"finite_losses": self._finite, "grad_norm_nonzero": self._gradient}
        known = {name: value for name, value in seen.items() if value is not None}
        return {**known, **proof.changed(self._before, _snapshot(self._model))}


def _snapshot(model: Any) -> dict[str, Any]:
    """A few values of each trained parameter's part on this rank."""
    return {} if model is None else proof.snapshot(model, _local)


def _local(parameter: Any) -> Any:
    """This rank's part of a parameter, where it is spread and says so."""
    part: Callable[[], Any] | None = getattr(parameter, "to_local", None)
    return part() if part else parameter


def _gpu() -> bool:
    if "torch" not in sys.modules:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _joules() -> float | None:
    import torch

    return device.joules(torch.device("cuda", torch.cuda.current_device()))


def _memory() -> dict[str, int | None]:
    if "torch" in sys.modules:
        return device.memory_peaks()
    return {"allocated": None, "reserved": None, **device.host_peak()}
