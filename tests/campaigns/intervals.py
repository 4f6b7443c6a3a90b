"""How often the 95% interval of a mean step time holds the true mean, where step times are correlated.

    python tests/campaigns/intervals.py [--runs 10000]

Step times are simulated as a first-order autoregressive process, with the correlation of neighbouring steps at the head
of each column. A cell is the coverage and, in brackets, the interval's mean width as a multiple of the narrowest that
would be right, had one known the process. Cells with a goal show it; exit code 1 where one is missed. About a minute.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

import numpy as np
from tabulate import tabulate

from benchspec.results.stats import mean_interval

CORRELATIONS = (0.0, 0.3, 0.5, 0.8)
LENGTHS = (10, 20, 50, 100, 200, 400, 800)
MEAN, SPREAD = 5.0, 0.1


def goal(steps: int, correlation: float) -> tuple[float, float] | None:
    """The lowest and the highest coverage that will do; None: none is promised."""
    if steps >= 400 or (steps >= 200 and correlation <= 0.5):
        return 0.93, 0.97
    return (0.91, 0.97) if steps >= 200 else None


def step_times(steps: int, correlation: float, runs: int, seed: int = 0) -> Any:
    """Simulated step times around `MEAN`: an array of shape (runs, steps)."""
    drawn = np.random.default_rng(seed).standard_normal((steps, runs))
    noise = drawn[0] / math.sqrt(1 - correlation**2)
    values = [noise]
    for fresh in drawn[1:]:
        values.append(correlation * values[-1] + fresh)
    return MEAN + SPREAD * np.array(values).T


def width_needed(steps: int, correlation: float) -> float:
    """The width of the interval that holds the mean in 95% of runs, where the process is known."""
    lags = np.arange(1, steps)
    factor = 1 + 2 * float(((1 - lags / steps) * correlation**lags).sum())
    return 2 * 1.96 * SPREAD / math.sqrt(1 - correlation**2) * math.sqrt(factor / steps)


def coverage(steps: int, correlation: float, runs: int) -> tuple[float, float]:
    """The share of intervals that hold the true mean, and their mean width beside the narrowest right one."""
    found = [mean_interval(times.tolist()) for times in step_times(steps, correlation, runs)]
    intervals = np.array([interval for interval in found if interval])
    holds = (intervals[:, 0] <= MEAN) & (intervals[:, 1] >= MEAN)
    return float(holds.mean()), float(np.diff(intervals).mean()) / width_needed(steps, correlation)


def main(runs: int) -> int:
    rows, missed = [], 0
    for steps in LENGTHS:
        cells = []
        for correlation in CORRELATIONS:
            held, width = coverage(steps, correlation, runs)
            limits = goal(steps, correlation)
            met = limits is None or limits[0] <= held <= limits[1]
            missed += not met
            wanted = f"  {limits[0]:.0%} to {limits[1]:.0%}{'' if met else ': MISSED'}" if limits else ""
            cells.append(f"{held:.1%} ({width:.2f}){wanted}")
        rows.append([steps, *cells])
    print(tabulate(rows, ["steps", *(f"correlation {each:g}" for each in CORRELATIONS)], disable_numparse=True))
    print(f"\n{runs} runs a cell, so a coverage is uncertain by {1.96 * math.sqrt(0.95 * 0.05 / runs):.1%}.")
    return int(missed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="simulated runs a cell")
    sys.exit(main(parser.parse_args().runs))
