"""What the trainings of a spec cost by published times, whole and sampled: before anything has run."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchspec.cases.case import Case
from benchspec.cases.statements import Statement
from benchspec.kinds.values import Facts
from benchspec.terms.sampling import FIRST_LOOK


class Planned(Protocol):
    """What is known of a case that is planned; see `plans.Plan`."""

    @property
    def case(self) -> Case: ...

    @property
    def needs(self) -> Mapping[str, Any]: ...

    @property
    def left(self) -> int:
        """How many of its launches are left."""


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


def text(plans: Sequence[Planned], seconds: Mapping[tuple[str, str], float], facts: Facts | None = None) -> str:
    """A sentence on the hours of the launches that are left and whose time was published; empty without any.

    With the price of the machine, it says what they cost.
    """
    known = [plan for plan in plans if plan.left and plan.case.key in seconds]
    if not known:
        return ""
    each = [plan.left * seconds[plan.case.key] / 3600 for plan in known]
    hours = [one * plan.needs["processes"] for one, plan in zip(each, known, strict=True)]
    of = f"{len(known)} of the {len(plans)} cases" if len(known) < len(plans) else "all cases"
    said = (
        f"By published times, the trainings of {of} take {_hours(math.fsum(each))} h one after another, "
        f"{_hours(math.fsum(hours))} process hours{_cost(math.fsum(each), facts)}"
    )
    if all(plan.case.sampled_to is None for plan in known):
        return f"{said}."
    least = math.fsum(map(operator.mul, hours, (_least(plan.case, plan.needs["steps"]) for plan in known)))
    return f"{said} if every step runs; sampled, at least {_hours(least)}."


def _cost(hours: float, facts: Facts | None) -> str:
    """What so many hours of the machine cost, with the source of its price; empty where it has none."""
    if facts is None or (price := facts.price_per_hour) is None:
        return ""
    currency = f" {facts.currency}" if facts.currency else ""
    return f", {_hours(hours * price.value)}{currency} at {price.value:g}{currency} an hour ({price.source})"


def _least(case: Case, steps: int | None) -> float:
    """The share of a case's training that runs at least; 0 where it is sampled and nobody knows how long it is."""
    if case.sampled_to is None:
        return 1.0
    return min(1.0, FIRST_LOOK / steps) if steps else 0.0


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
