"""References × cases -> statements: what was published, of which cases, and how those differ from what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchspec.cases.case import Case
from benchspec.spec.references import Reference
from benchspec.terms.metrics import METRICS
from benchspec.terms.where import agrees, lookup, matches

#: a published value and its cases, as results/verdicts.py describes it
Statement = dict[str, Any]


def statements(references: Sequence[Reference], cases: Sequence[Case]) -> list[Statement]:
    """What the references say of the cases, in the references' order.

    A value, a bound, a range or an outcome is a statement of each case that it matches. An ordering or a slope is one
    of all the cases of an experiment that differ in nothing else. A reference that names no experiment says something
    only of cases that meet its conditions; one that names it does so of all, and their differences are kept.
    """
    return [statement for reference in references for statement in _statements(reference, cases)]


def _statements(reference: Reference, cases: Sequence[Case]) -> Iterator[Statement]:
    mine = [case for case in cases if _is_of(reference, case)]
    along = reference.by or next(iter(reference.per or ()), None)
    for where, group in _groups(mine, along) if along else [(case.axes, [case]) for case in mine]:
        if along is None or reference.experiment or len({_key(lookup(case.fields, along)) for case in group}) > 1:
            yield {
                "source": reference.source,
                "hardware": reference.hardware,
                "metric": reference.metric,
                "kind": reference.kind,
                "published": reference.value,
                "tolerance": reference.tolerance,
                "where": {**reference.where, **where},
                "given": dict(reference.given),
                "by": reference.by,
                "per": dict(reference.per) if reference.per else None,
                "experiment": group[0].experiment,
                "named": reference.experiment is not None,
                "cases": [_case(reference, case, along) for case in group],
            }


def _is_of(reference: Reference, case: Case) -> bool:
    if not matches(reference.where, case.fields):
        return False
    if reference.by and not any(agrees(lookup(case.fields, reference.by), name) for name in reference.value):
        return False
    if reference.experiment is None:
        return not _differences(reference.given, case)
    return reference.experiment == case.experiment


def _groups(cases: Sequence[Case], along: str) -> list[tuple[dict[str, Any], list[Case]]]:
    """Cases that differ only along a field, with the values of the experiment's other axes, if it has any."""
    found: dict[str, tuple[dict[str, Any], list[Case]]] = {}
    for case in cases:
        others = {path: value for path, value in case.axes.items() if path != along}
        found.setdefault(_key([case.experiment, others]), (others, []))[1].append(case)
    return list(found.values())


def _case(reference: Reference, case: Case, along: str | None) -> dict[str, Any]:
    at = lookup(case.fields, along) if along else None
    return {
        "case": case.id,
        "at": at["name"] if isinstance(at, Mapping) and "name" in at else at,
        "differences": _differences(reference.given, case),
    }


def _differences(given: Mapping[str, Any], case: Case) -> list[dict[str, Any]]:
    """The fields in a reference's conditions in which a case is another; metrics are known once it has run."""
    found = [(path, published, lookup(case.fields, path)) for path, published in given.items() if path not in METRICS]
    return [
        {"field": path, "published": published, "here": here["name"] if _is_plugin(here) else here}
        for path, published, here in found
        if not agrees(here, published)
    ]


def _is_plugin(value: Any) -> bool:
    return isinstance(value, Mapping) and "name" in value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
