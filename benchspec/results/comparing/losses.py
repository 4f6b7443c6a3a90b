"""Whether two runs of a case learn the same: the losses of their first steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from benchspec.results import lines
from benchspec.results.comparing.sides import Sides
from benchspec.terms.layout import rank_file
from benchspec.terms.where import lookup

#: the first steps, whose losses are compared
STEPS = 20
#: how much two losses of the same step may differ, as a share of them, by `train.precision`
TOLERANCES = {"fp32": 1e-3, "bf16": 2e-2}

#: the losses of the first steps; None for one that is not known
Losses = Sequence[float | None]


def parting(sides: Sides) -> str | None:
    """Where any launch in head parts from the first in base, in words, or that this is not known; None if nowhere."""
    known = {side.name: [first_losses(each.folder) for each in side.ok] for side in (sides.base, sides.head)}
    for name, found in known.items():
        if None in found:
            return f"{name} has no rank-0.jsonl of a launch, so whether both learn the same is not known"
    ours, theirs = ([each for each in found if each is not None] for found in known.values())
    for name, found in known.items():
        if not all(found) and any([*ours, *theirs]):
            return f"{name} has no steps in rank-0.jsonl of a launch, so whether both learn the same is not known"
    tolerance = _tolerance(sides)
    steps = [_apart(ours[0], each, tolerance) for each in theirs if ours]
    step = min((step for step in steps if step is not None), default=None)
    if step is None:
        return None
    one, other = ours[0][step], theirs[steps.index(step)][step]
    said = f"the losses part at step {step + 1}: {one:.6g} in base, {other:.6g} in head, more than {tolerance:g} apart"
    # Nothing was learnt before it.
    return said if step else f"{said}: the weights or the rows that they began with differ"


def first_losses(attempt: Path) -> Losses | None:
    """The losses of an attempt's first steps; None if the evidence is gone.

    Every rank reports the mean of all ranks, so rank 0's file is enough, and only its beginning is read.
    """
    file = attempt / rank_file(0)
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return list(islice(_losses(stream), STEPS))


def _losses(stream: Iterable[bytes]) -> Iterator[float | None]:
    for line in stream:
        event = lines.parse(line)
        if event and event["event"] == "step" and lines.problem(event) is None:
            yield event["loss"]


def _tolerance(sides: Sides) -> float:
    case = sides.base.launches[0].case or {}
    return TOLERANCES.get(str(lookup(case, "train.precision")), max(TOLERANCES.values()))


def _apart(ours: Losses, theirs: Losses, tolerance: float) -> int | None:
    """The index of the first step whose losses differ by more than a share of the first."""
    for step, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one is not None and other is not None and abs(other - one) > tolerance * abs(one):
            return step
    return None
