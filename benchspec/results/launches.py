"""The launches of a case as one result: the median of each metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchspec.results.result import Result


@dataclass(frozen=True, kw_only=True, repr=False)
class Launches(Result):
    """The launches of a case as one result.

    `metrics` are medians over the launches that are ok. What else it has is of the first launch that is not ok, or if
    all are, of the first.
    """

    #: every launch that has a result, in order
    launches: Sequence[Result] = field()  # not the default that the base class has

    @property
    def numbers(self) -> Mapping[str, float]:
        """The medians, whatever the other launches' outcome is."""
        return self.metrics

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many launches ended so, by outcome."""
        return Counter(each.outcome for each in self.launches)

    def range(self, metric: str) -> tuple[float, float]:
        """The lowest and the highest number of a metric that any launch has."""
        found = _values(self.launches, metric)
        return min(found), max(found)


def together(results: Iterable[Result]) -> list[Result]:
    """One result a case, in the order of the cases' first: itself where there is one launch, else their `Launches`."""
    cases: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        cases.setdefault(result.key, []).append(result)
    return [found[0] if len(found) == 1 else _together(found) for found in cases.values()]


def _together(found: Sequence[Result]) -> Launches:
    shown = next((each for each in found if each.outcome != "ok"), found[0])
    known = dict.fromkeys(metric for each in found for metric in each.numbers)
    bases = {metric: basis for each in found for metric, basis in each.basis.items()}
    shared = {name: getattr(shown, name) for name in Result.__dataclass_fields__}
    return Launches(
        **{
            **shared,
            "metrics": {metric: median(_values(found, metric)) for metric in known},
            "basis": bases,
            # Those of a launch are about its steps, not about launches.
            "intervals": {},
            "warnings": list(dict.fromkeys(warning for each in found for warning in each.warnings)),
        },
        launches=found,
    )


def _values(found: Iterable[Result], metric: str) -> list[float]:
    return [each.numbers[metric] for each in found if metric in each.numbers]
