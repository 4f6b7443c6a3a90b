"""The times of the steps that ran, and the work of all steps -> the time of those that are left."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: consecutive steps are cut into so many blocks
BLOCKS = 10
#: the 97.5% quantile of Student's t with one degree of freedom less
QUANTILE = 2.26216
#: a first step is warm-up if it is so many standard deviations, as the median deviation tells them, above later ones
SLOWER = 3 * 1.4826
#: the largest share of the steps that warm-up may be
MOST_WARMUP = 0.25


class Projection(NamedTuple):
    """The time of the steps that have not run."""

    seconds: float
    #: half the width of its 95% interval, in seconds
    half: float
    #: first steps that were left out, because what only they do, such as filling caches, makes them slower
    warmup_steps: int


def project(seconds: Any, work: Any) -> Projection | None:
    """What the steps that are left will take; None as long as too few have run.

    `seconds` are the times of the steps that ran, `work` what all planned steps compute, those that ran first.

    A step's time is a linear function of its work, fitted by least squares, and a remainder. Machines drift: the mean
    remainder of the steps that are left is taken to differ from that of those that ran by as much as one block of
    consecutive steps differs from another, twice the variance of block means. Were the remainders independent, a
    twentieth of that would do.
    """
    times, all_work = np.asarray(seconds, float), np.asarray(work, float)
    warmup = warmup_of(times, all_work[: len(times)])
    ran, done, rest = times[warmup:], all_work[warmup : len(times)], all_work[len(times) :]
    if len(ran) < 2 * BLOCKS or not len(rest):
        return None
    per_work, level = fit(ran, done)
    variance = block_variance(ran - (level + per_work * done))
    # The fewer are left, the less their own mean is that of many.
    variance *= 2 + len(ran) / (BLOCKS * len(rest))
    half = QUANTILE * math.sqrt(variance) * len(rest)
    return Projection(float((level + per_work * rest.mean()) * len(rest)), half, warmup)


def fit(times: NDArray[Any], work: NDArray[Any]) -> tuple[float, float]:
    """Seconds a unit of work, and seconds a step beside, by least squares; all steps alike where work does not vary."""
    if np.ptp(work) == 0:
        return 0.0, float(times.mean())
    per_work, level = np.polyfit(work, times, 1)
    return float(per_work), float(level)


def block_variance(values: NDArray[Any]) -> float:
    """The variance of the means of blocks of consecutive values."""
    return float(np.var([block.mean() for block in np.array_split(values, BLOCKS)], ddof=1))


def warmup_of(times: NDArray[Any], work: NDArray[Any]) -> int:
    """How many first steps are slower than the later half for their work: at least the first, which has no like."""
    half, most = len(times) // 2, int(MOST_WARMUP * len(times))
    if most < 1:
        return 0
    per_work, level = fit(times[half:], work[half:])
    excess = times - (level + per_work * work)
    middle = np.median(excess[half:])
    limit = middle + SLOWER * np.median(np.abs(excess[half:] - middle))
    usual = np.flatnonzero(excess[1:most] <= limit)
    return int(usual[0]) + 1 if len(usual) else most
