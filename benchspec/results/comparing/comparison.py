"""What a comparison of two runs says: plain values, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any

#: the verdicts on a case, the worst first; the last is no verdict on a change
VERDICTS = ("worse", "undecided", "better", "same", "not comparable")
_PAIR = ("experiment", "axes", "verdict", "ratio", "interval", "launches", "reasons")
_COMPARISON = ("base", "head", "metric", "threshold", "verdict")


@dataclass(frozen=True)
class Pair:
    """A case in two runs."""

    experiment: str
    #: what the matrix varied: dotted path -> value
    axes: Mapping[str, Any]
    #: one of `VERDICTS`
    verdict: str
    #: why, and what else differs, a sentence each
    reasons: Sequence[str] = ()
    #: how many launches have a result, in base and in head
    launches: tuple[int, int] = (0, 0)
    #: the metric in each launch, in base and in head; empty where it is not compared
    values: tuple[Sequence[float], Sequence[float]] = ((), ())
    #: head over base, and its interval; None if that is not known
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    #: the unit of a cost
    currency: str | None = None

    @property
    def means(self) -> tuple[float | None, float | None]:
        """The geometric mean in base and in head, of which `ratio` is the ratio."""
        base, head = (geometric_mean(values) if values else None for values in self.values)
        return base, head

    def to_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in _PAIR}


@dataclass(frozen=True)
class Comparison:
    """Two runs of the same cases."""

    #: the run directories
    base: str
    head: str
    metric: str
    #: a change of the metric by at most this share is none
    threshold: float
    pairs: Sequence[Pair]

    @property
    def verdict(self) -> str:
        """The worst of all cases; `not comparable` only where all are."""
        found = {pair.verdict for pair in self.pairs}
        return next((verdict for verdict in VERDICTS if verdict in found), VERDICTS[-1])

    def to_json(self) -> dict[str, Any]:
        """As `compare --format json` prints it; docs/compare.md describes the keys."""
        return {**{key: getattr(self, key) for key in _COMPARISON}, "cases": [pair.to_json() for pair in self.pairs]}
