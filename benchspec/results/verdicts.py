"""Published values compared with what was measured.

This is the only place that compares them: `Results.verdicts` holds the verdicts, and reports show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchspec.results.result import Result

#: a published value of a case, the measured one, and how they compare
Verdict = Mapping[str, Any]

#: the keys under which run.json gives a published value
_KINDS = ("value", "below", "above", "between", "outcome")


def judge(published: Mapping[str, Sequence[Mapping[str, Any]]], results: Iterable[Result]) -> list[Verdict]:
    """A verdict for each published value of each case, in the order of `published`.

    `published` is from run.json: `EXPERIMENT/CASE` -> values `{source, hardware, metric, KIND: VALUE}`.
    """
    found = {f"{result.experiment}/{result.case}": result for result in results}
    return [_verdict(case, value, found.get(case)) for case, values in published.items() for value in values]


def _verdict(name: str, value: Mapping[str, Any], result: Result | None) -> Verdict:
    experiment, _, case = name.partition("/")
    kind = next(kind for kind in _KINDS if kind in value)
    measured = _measured(kind, value["metric"], result) if result else None
    return {
        "source": value["source"],
        "hardware": value["hardware"],
        "experiment": experiment,
        "case": case,
        "kind": kind,
        "metric": value["metric"],
        "published": value[kind],
        "measured": measured,
        **_compared(kind, value[kind], measured),
    }


def _measured(kind: str, metric: str, result: Result) -> Any:
    if kind == "outcome":
        return None if result.beside_others else result.outcome
    return result.numbers.get(metric)


def _compared(kind: str, published: Any, measured: Any) -> dict[str, Any]:
    """`ratio` (measured / published) for the kind `value`, `met` for all others; None if not applicable or unknown."""
    if kind == "value":
        return {"ratio": measured / published if measured is not None and published else None, "met": None}
    return {"ratio": None, "met": None if measured is None else _meets(kind, published, measured)}


def _meets(kind: str, published: Any, measured: Any) -> bool:
    if kind == "outcome":
        return bool(measured == published)
    if kind == "between":
        low, high = published
        return bool(low <= measured <= high)
    return bool(measured < published if kind == "below" else measured > published)
