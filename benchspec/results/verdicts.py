"""Published values compared with what was measured.

This is the only place that compares them: `Results.verdicts` holds the verdicts, and reports show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchspec.results.result import Result

#: a published value of a case, and how what was measured compares with it
Verdict = Mapping[str, Any]

#: what a published value can be, by its key in run.json
_KINDS = ("value", "below", "above", "between", "outcome")


def judge(published: Mapping[str, Sequence[Mapping[str, Any]]], results: Iterable[Result]) -> list[Verdict]:
    """A verdict for each published value and case that it is a value of, in the order of `published`.

    `published` is what run.json holds: `EXPERIMENT/CASE` -> values `{source, hardware, metric, KIND: VALUE}`.
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
    """The outcome or the number; a case that crashed proved nothing, so its numbers are compared with nothing."""
    if kind == "outcome":
        return result.outcome
    return None if result.outcome == "crash" else result.metrics.get(metric)


def _compared(kind: str, published: Any, measured: Any) -> dict[str, Any]:
    """`ratio`, measured / published, for a value, `met` for the others; each None for the other and where unknown."""
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
