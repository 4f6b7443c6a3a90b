"""A sampled measurement: steps run until the time of the whole training is known as precisely as was asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from benchspec.terms.sampling import FIRST_LOOK
from benchspec.worker.projection import Projection, project

#: how many more steps, as a share of those before, until the next look at what is known
FURTHER = 0.1
#: what a look decides
GO_ON, STOP, SAVE = range(3)


class Sampler:
    """The steps of a rank so far, and whether they are enough."""

    def __init__(self, work: Any, precision: float, save_every: int | None, agree: Callable[[int], int]):
        """Sample a training whose steps have this work, and which saves after every so many of them.

        `agree` tells all ranks what rank 0 has decided.
        """
        self._work = work
        self._precision = precision
        #: checkpoints that a whole training saves
        self._due = len(work) // save_every if save_every else 0
        self._agree = agree
        self._next_look = FIRST_LOOK
        self._times: list[float] = []
        self._saves: list[float] = []
        #: whether a checkpoint should be saved before its time, because what one takes is not known yet
        self._wants_save = False
        #: when training began, when the last step ended, without saves since, and when a save began
        self._began = self._mark = self._save_began = 0.0

    def enter(self, phase: str) -> None:
        """Note that a phase begins."""
        if phase == "train":
            self._began = self._mark = time.monotonic()
        elif phase == "save":
            self._save_began = time.monotonic()

    def leave(self, phase: str) -> None:
        """Note that a phase ends; a save is no part of a step."""
        if phase == "save":
            took = time.monotonic() - self._save_began
            self._saves.append(took)
            self._mark += took
            self._wants_save = False

    def saves_early(self) -> bool:
        """Whether to save now although no checkpoint is due; True once, and the caller then saves."""
        early, self._wants_save = self._wants_save, False
        return early

    def step(self) -> dict[str, Any] | None:
        """Note that a step has ended; what is known of the whole if that is enough for all ranks to stop."""
        now = time.monotonic()
        self._times.append(now - self._mark)
        told = None
        if len(self._times) == self._next_look < len(self._work):
            self._next_look += math.ceil(self._next_look * FURTHER)
            projected = project(self._times, self._work)
            decided = self._agree(self._decide(projected, now - self._began))
            self._wants_save = decided == SAVE
            told = self._told(projected) if decided == STOP else None
        self._mark = time.monotonic()
        return told

    def _decide(self, projected: Projection | None, ran: float) -> int:
        if projected is None or projected.half > self._precision * (ran + projected.seconds + self._saving()):
            return GO_ON
        return SAVE if self._due and not self._saves else STOP

    def _saving(self) -> float:
        """The time of the saves that are left; less than 0 if one that was not due was the only one."""
        each = math.fsum(self._saves) / len(self._saves) if self._saves else 0.0
        return (self._due - len(self._saves)) * each

    def _told(self, projected: Projection | None) -> dict[str, Any]:
        # Of ranks other than the first, which has decided, it is not written down.
        seconds, half, warmup = projected or (0.0, 0.0, 0)
        saving = self._saving()
        return {
            "seconds": seconds + saving,
            "low": max(0.0, seconds - half) + saving,
            "high": seconds + half + saving,
            "warmup_steps": warmup,
            "warmup_time": math.fsum(self._times[:warmup]),
        }


def agreed(world: int, device: Any) -> Callable[[int], int]:
    """How all ranks come to do what rank 0 has decided; without a process group that they share, they go on."""

    def agree(decided: int) -> int:
        if world == 1:
            return decided
        import torch

        if not torch.distributed.is_initialized():
            return GO_ON
        told = torch.tensor(decided, device=device)
        torch.distributed.broadcast(told, 0)
        return int(told.item())

    return agree
