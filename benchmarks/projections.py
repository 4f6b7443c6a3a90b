"""How well a sampled measurement projects, held against whole trainings whose steps were recorded.

    benchspec run benchmarks/projections.yaml --out FOLDER
    python benchmarks/projections.py FOLDER [--experiment held-against] [--precision 0.02] [--stretches 60]

Each training is taken as it is, and in contiguous stretches of random place and length; of each, the sampler of the
worker is shown step after step until it stops, and what it projects is compared with what the rest then took. It
prints, for each training, how many steps were shown, the error of the whole time and whether it lies in the interval,
and over all stretches the share of intervals that hold.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchspec import Results
from benchspec.results import evidence
from benchspec.results.steps import of_kind, steps
from benchspec.worker import sampling


class Trace(NamedTuple):
    """The steps of a training."""

    name: str
    seconds: list[float]
    work: list[float]


class Shown(NamedTuple):
    """What a sampler said of a stretch."""

    #: steps until it stopped, and of the stretch
    ran: int
    steps: int
    #: of the whole time: projected / real - 1, and half the interval's width
    error: float
    half: float

    @property
    def held(self) -> bool:
        return abs(self.error) <= self.half + 1e-12


class Clock:
    """A clock that moves when a step has ended."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def traces(folder: Path, experiment: str) -> list[Trace]:
    found = []
    for result in Results.load(folder):
        if result.experiment != experiment or result.outcome != "ok":
            continue
        ranks = evidence.read(folder / "cases" / result.experiment / result.case / result.attempt).ranks
        ended = steps(ranks)
        packed = "packed" in result.case
        work: dict[int, list[int]] = {}
        for event in of_kind(ranks, "step"):
            work.setdefault(event["step"], []).append(event["padded_tokens"])
        # As the recipes' `workload` says it.
        slowest = [sum(work[step.step]) / len(ranks) if packed else max(work[step.step]) for step in ended]
        found.append(Trace(result.case, [float(step.seconds or 0) for step in ended], slowest))
    return found


def shown(seconds: Sequence[float], work: Sequence[float], precision: float) -> Shown | None:
    """What the sampler says of these steps; None if it lets all of them run."""
    clock = Clock()
    sampling.time = clock  # type: ignore[assignment]
    sampler = sampling.Sampler(work, precision, None, int)
    sampler.enter("train")
    for number, each in enumerate(seconds, start=1):
        clock.now += each
        told = sampler.step()
        if told:
            whole = sum(seconds)
            half = (told["high"] - told["low"]) / 2
            return Shown(number, len(seconds), (clock.now + told["seconds"]) / whole - 1, half / whole)
    return None


def stretches(trace: Trace, count: int, draw: random.Random) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Contiguous parts of a training, and beginnings of it; none is shorter than a fifth."""
    size, found = len(trace.seconds), []
    for number in range(count):
        length = draw.randint(size // 5, size)
        begin = 0 if number % 2 else draw.randint(0, size - length)
        found.append((trace.seconds[begin : begin + length], trace.work[begin : begin + length]))
    return found


def summary(found: Sequence[Shown]) -> str:
    errors = sorted(abs(each.error) for each in found)
    return (
        f"{len(found)} projected: {sum(each.held for each in found) / len(found):.1%} of intervals hold; "
        f"error {statistics.median(errors):.2%} in the median, {errors[int(0.95 * len(errors))]:.2%} at 95%, "
        f"{errors[-1]:.2%} at most; {statistics.median(each.ran / each.steps for each in found):.0%} of the steps ran"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--experiment", default="held-against")
    parser.add_argument("--precision", type=float, default=0.02)
    parser.add_argument("--stretches", type=int, default=60)
    arguments = parser.parse_args()
    draw, every, whole = random.Random(1), list[Any](), list[Shown]()
    for trace in traces(arguments.folder, arguments.experiment):
        one = shown(trace.seconds, trace.work, arguments.precision)
        parts = [shown(*part, arguments.precision) for part in stretches(trace, arguments.stretches, draw)]
        found = [part for part in parts if part]
        every += found
        text = (
            "every step ran"
            if one is None
            else (f"{one.ran:4} of {one.steps} steps, {one.error:+.2%} ± {one.half:.2%} {'' if one.held else 'MISSED'}")
        )
        whole += [one] if one else []
        print(
            f"{trace.name:45} {sum(trace.seconds):6.1f} s  {text:45} {len(found)} of {len(parts)} stretches, "
            f"{sum(each.held for each in found)} held"
        )
    print(f"whole trainings: {summary(whole)}" if whole else "no training was projected")
    print(f"stretches: {summary(every)}" if every else "no stretch was projected")


if __name__ == "__main__":
    main()
