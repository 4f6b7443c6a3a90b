"""Where a series of numbers changes its level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec

#: fewer points than this say nothing of a change
LEAST_POINTS = 6
#: points on each side of a change
LEAST_SEGMENT = 2
#: what a change must save of the squared distances, in squares of the noise; see `changes_at`
PENALTY = 14.0
#: how many units of noise lie between a point and its neighbours if it is odd, and how many points are compared
ODD, NEIGHBOURS = 4.0, 5
#: noise below a tenth of a percent counts as that: of numbers that repeat exactly, the least change would be one
LEAST_NOISE = 1e-3


def can_mark_changes() -> bool:
    """Whether the library that finds changes is installed."""
    return find_spec("ruptures") is not None


def changes_at(values: Sequence[float]) -> list[int]:
    """The places at which a series of positive numbers changes its level; none of fewer than six.

    By PELT (Killick, Fearnhead and Eckley 2012) on logarithms, in units of the noise that neighbouring points show. The
    cost of a segment is the sum of squared distances from its mean, which is the most sensitive to a step in normal
    noise. It is also sensitive to odd points, so these are first replaced by the median of the five points around them
    (Hampel's filter). Wider windows remove more odd points, but see a change only after three runs or more.

    A change must save `PENALTY`, for which at most one in twenty simulated histories of 6 to 300 points has a change
    with independent noise alone; docs/log.md has the figures. Where neighbours resemble each other, as on a machine
    that drifts, more have one: a drift cannot be told from a step by so few numbers.
    """
    if len(values) < LEAST_POINTS or min(values) <= 0:
        return []
    import numpy as np
    from ruptures import KernelCPD
    from scipy.ndimage import median_filter

    logs = np.log(np.asarray(values, dtype=float))
    # The median of absolute differences of normal noise is 0.6745 times its standard deviation, times the root of 2.
    noise = float(np.median(np.abs(np.diff(logs)))) / 0.6745 / math.sqrt(2)
    units = (logs - np.median(logs)) / max(noise, LEAST_NOISE)
    around = median_filter(units, NEIGHBOURS, mode="reflect")
    usual = np.where(np.abs(units - around) > ODD, around, units)
    # With a linear kernel, this is PELT with squared distances, in C.
    found = KernelCPD(kernel="linear", min_size=LEAST_SEGMENT).fit(usual.reshape(-1, 1)).predict(pen=PENALTY)
    return [int(place) for place in found[:-1]]
