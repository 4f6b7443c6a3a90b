"""What the trainings of a spec cost by published times, whole and sampled: before anything has run."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from benchspec.cases.case import Case
from benchspec.cases.statements import Statement
from benchspec.terms.sampling import FIRST_LOOK


def published_seconds(statements: Sequence[Statement]) -> dict[tuple[str, str], float]:
    """The published time of each case's training, of those that have one for exactly their settings.

    Of a range it is the middle, of an upper bound the bound, and along a slope what the slope alone gives. Where
    several were published, the first counts.
    """
    found: dict[tuple[str, str], float] = {}
    for statement in statements:
        if statement["metric"] == "train_runtime":
            for case in statement["cases"]:
                seconds = None if case["differences"] else _seconds(statement, case["at"])
                if seconds is not None:
                    found.setdefault((statement["experiment"], case["case"]), seconds)
    return found


def _seconds(statement: Statement, at: Any) -> float | None:
    published = statement["published"]
    match statement["kind"]:
        case "value" | "below":
            return float(published)
        case "between":
            return float(sum(published)) / 2
        case "slope":
            (step,) = statement["per"].values()
            return float(published * at / step) if isinstance(at, int | float) else None
    return None


def text(cases: Sequence[Case], needs: Mapping[tuple[str, str], Mapping[str, Any]], seconds: Any) -> str:
    """A sentence on the process hours of the cases whose time was published; empty if there are none."""
    known = [case for case in cases if case.key in seconds]
    whole = [needs[case.key]["processes"] * seconds[case.key] / 3600 for case in known]
    least = math.fsum(map(operator.mul, whole, (_least(case, needs[case.key]["steps"]) for case in known)))
    if not known:
        return ""
    said = f"By published times, the trainings of {_some(known, cases)} take {_hours(sum(whole))} process hours"
    if all(case.precision is None for case in known):
        return f"{said}."
    return f"{said} whole; sampled, they stop once their time is known: after {_hours(least)} hours at the earliest."


def _least(case: Case, steps: int | None) -> float:
    """The share of a case's training that runs at least; 0 where it is sampled and nobody knows how long it is."""
    if case.precision is None:
        return 1.0
    return min(1.0, FIRST_LOOK / steps) if steps else 0.0


def _some(known: Sequence[Case], cases: Sequence[Case]) -> str:
    return "all cases" if len(known) == len(cases) else f"{len(known)} of the {len(cases)} cases"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
