"""Two runs -> a verdict for each case: has a metric changed between them, and can that be told?"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from benchspec.results.comparing.comparison import Comparison, Pair
from benchspec.results.comparing.equality import Differing, differing
from benchspec.results.comparing.losses import parting
from benchspec.results.comparing.ratio import launches_needed, ratio, spread, verdict
from benchspec.results.comparing.sides import Sides, paired
from benchspec.results.results import Results
from benchspec.terms.errors import BenchspecError, RunError, install
from benchspec.terms.metrics import METRICS

#: the metric by which runs are compared
METRIC = "rows_per_second"
#: a change by at most this share is none
THRESHOLD = 0.02
#: what to do where settings were changed on purpose
WITHIN_A_RUN = "a change of settings is measured within a run: make it an axis of a spec's matrix, with `repeats`"


def compare(
    base: Results,
    head: Results,
    *,
    metric: str = METRIC,
    threshold: float = THRESHOLD,
    across: Sequence[str] = (),
) -> Comparison:
    """A verdict for each case of two runs, by a metric that has a direction.

    A change by at most `threshold`, a share, is none. `across` says what may differ, of `machine` and `libraries`.
    Raises `BenchspecError` if either run has no result, and `RunError` if scipy is not installed.
    """
    check_installed()
    for each in (base, head):
        if not each:
            raise BenchspecError(f"{each.folder} has no results; `benchspec run SPEC --out {each.folder}` makes some")
    of_specs = all("spec" in each.run for each in (base, head))
    every = [_Case(sides, across, of_specs) for sides in paired(base, head)]
    settled = [case.settled(metric) for case in every]
    tests = settled.count(None)
    pairs = [pair or case.decided(metric, threshold, tests) for case, pair in zip(every, settled, strict=True)]
    return Comparison(str(base.folder), str(head.folder), metric, threshold, pairs)


def check_installed() -> None:
    """Raise `RunError` if the library that comparisons need is not installed."""
    if find_spec("scipy") is None:
        raise RunError(f"scipy is not installed: {install('compare')}, then compare again")


class _Case:
    """A case in two runs, and what differs between them."""

    def __init__(self, sides: Sides, across: Sequence[str], of_specs: bool):
        self._sides, self._of_specs = sides, of_specs
        self._both = bool(sides.base.launches and sides.head.launches)
        self._differing = differing(sides, across) if self._both else Differing([], [])

    def settled(self, metric: str) -> Pair | None:
        """A verdict for which no launches need to be weighed; None where they decide."""
        sides, base, head = self._sides, self._sides.base, self._sides.head
        if not self._both:
            return self._pair("not comparable", f"only in {'base' if base.launches else 'head'}")
        if self._differing.unequal:
            way_out = [WITHIN_A_RUN] if self._of_specs and self._differing.of_settings else []
            return self._pair("not comparable", *self._differing.unequal, *way_out)
        if base.failure or head.failure:
            word = "not comparable" if base.failure and head.failure else "worse" if head.failure else "better"
            return self._pair(word, *filter(None, (base.failure, head.failure)))
        if reason := parting(sides) or _unusable(sides, metric):
            return self._pair("not comparable", reason)
        return None

    def decided(self, metric: str, threshold: float, tests: int) -> Pair:
        """What the launches say; `tests` is the number of cases of which they decide."""
        base, head = values = self._sides.base.values(metric), self._sides.head.values(metric)
        found = ratio(base, head, tests)
        known = {"values": values, "ratio": found.value, "interval": found.interval}
        if found.interval is None:
            reason = (
                "a single launch says nothing of how much launches vary; set repeats, for example to 5, or run a "
                "script of your own again into the same folder"
            )
            return self._pair("undecided", reason, **known)
        word = verdict(found.interval, threshold, METRICS[metric].direction)
        if word != "undecided":
            return self._pair(word, **known)
        count = launches_needed(base, head, threshold, tests)
        more = f"at least {count:,} launches" if count else "more than 1,000 launches"
        percent = 100 * spread(base, head)
        vary = f"launches vary by {percent:.0f}%" if percent >= 10 else f"launches vary by {percent:.2g}%"
        return self._pair(word, f"{vary} (standard deviation); it would take {more} of each", **known)

    def _pair(self, verdict: str, *reasons: str, **known: Any) -> Pair:
        """The case with a verdict; its reasons are followed by what else differs."""
        sides = self._sides
        return Pair(
            sides.experiment,
            sides.axes,
            verdict,
            [*reasons, *self._differing.allowed],
            (len(sides.base.launches), len(sides.head.launches)),
            currency=next((each.currency for each in (*sides.base.results, *sides.head.results)), None),
            **known,
        )


def _unusable(sides: Sides, metric: str) -> str | None:
    """Why the numbers of a case cannot be compared; None if they can."""
    for side in (sides.base, sides.head):
        values = side.values(metric)
        if len(values) < len(side.launches):
            return f"{side.name} has no {metric}"
        if min(values) <= 0:
            return f"{side.name} has a {metric} of {min(values):g}, to which nothing has a ratio"
    found = {each.basis.get(metric, "measured") for each in (*sides.base.results, *sides.head.results)}
    return f"{metric} is {' and '.join(sorted(found))}" if len(found) > 1 else None
