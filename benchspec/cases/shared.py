"""The settings that all cases of a spec have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchspec.cases.case import Case
from benchspec.kinds.bases import CASE_KINDS


def shared(cases: Sequence[Case]) -> dict[str, Any]:
    """Field -> value, of all that every case has alike: plugins with the options that the spec gives, and `train`.

    Values that say nothing (None, false) and limits are left out.
    """
    found = [_settings(case) for case in cases]
    first = found[0] if found else {}
    return {path: value for path, value in first.items() if all(each.get(path) == value for each in found)}


def _settings(case: Case) -> dict[str, Any]:
    plugins = {kind: _named(case.said.get(kind), case.fields[kind]) for kind in CASE_KINDS}
    train = {key: value for key, value in case.train.items() if value is not None and value is not False}
    measure = {"measure": f"sampled to {100 * case.sampled_to:.3g}%"} if case.sampled_to is not None else {}
    return {**plugins, **train, **measure}


def _named(said: Any, whole: Mapping[str, Any]) -> Any:
    """A plugin as the spec has it; by its name, if the spec leaves it to the default."""
    return said if said is not None else whole["name"]
