"""How many cases and launches there are, and how they ended, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from benchspec.results.results import Results
from benchspec.terms.outcomes import OUTCOMES


def counts_text(outcomes: Mapping[str, int]) -> str:
    """`20 ok, 2 oom`."""
    return ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in OUTCOMES if outcomes.get(outcome))


def planned(results: Results) -> tuple[int, int]:
    """How many cases are planned, and how many launches of them; at least as many as have a result."""
    found, repeats = Counter(result.key for result in results), results.run.get("repeats", {})
    cases = {(experiment, case) for experiment, case in results.run.get("cases", ())} | set(found)
    return len(cases), sum(max(found[key], repeats.get("/".join(key), 1)) for key in cases)


def count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"
