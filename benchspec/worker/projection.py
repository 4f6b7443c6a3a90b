"""The times of the steps that ran, and the work of all steps -> the time of those that are left."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: consecutive steps are cut into so many blocks, whose means are nearly independent
BLOCKS = 10


class Projection(NamedTuple):
    """The time of the steps that have not run."""

    seconds: float
    #: half the width of its 95% interval, in seconds
    half: float
    #: first steps that were left out, because what only they do, such as filling caches, makes them slower
    warmup_steps: int


def project(seconds: Any, work: Any) -> Projection | None:
    """What the steps that are left will take; None as long as too few have run.

    `seconds` are the times of the steps that ran, `work` what all planned steps compute, those that ran first. A
    step's time is a linear function of its work, fitted by least squares, and a remainder, whose mean over the steps
    that are left differs from that over those that ran: by as much as blocks of steps differ from each other.
    """
    times, all_work = np.asarray(seconds, float), np.asarray(work, float)
    warmup = warmup_of(times, all_work[: len(times)])
    ran, left = slice(warmup, len(times)), slice(len(times), None)
    times, done, rest = times[ran], all_work[ran], all_work[left]
    if len(times) < 2 * BLOCKS or not len(rest):
        return None
    per_work, level = fit(times, done)
    remainder = times - (level + per_work * done)
    mean = level + per_work * rest.mean()
    variance = block_variance(remainder)
    # The slope's error grows with the distance between the mean work of what ran and of what is left.
    spread = ((done - done.mean()) ** 2).mean()
    leverage = (rest.mean() - done.mean()) ** 2 / spread if spread else 0.0
    total = variance * (1 / BLOCKS + leverage / BLOCKS + 1 / max(1.0, BLOCKS * len(rest) / len(times)))
    half = T9 * math.sqrt(total)
    return Projection(float(mean * len(rest)), float(half * len(rest)), warmup)


T9 = 2.26216


def fit(times: NDArray[Any], work: NDArray[Any]) -> tuple[float, float]:
    """Seconds a unit of work, and seconds a step beside, by least squares; all steps alike where work does not vary."""
    if np.ptp(work) == 0:
        return 0.0, float(times.mean())
    slope, level = np.polyfit(work, times, 1)
    return float(slope), float(level)


def block_variance(values: NDArray[Any]) -> float:
    """The variance of block means."""
    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return float(means.var(ddof=1))


def warmup_of(times: NDArray[Any], work: NDArray[Any]) -> int:
    return 1
