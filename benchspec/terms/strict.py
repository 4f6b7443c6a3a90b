"""Strict JSON: finite, and when it is read, not nested without end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

#: levels of lists and mappings; more would exhaust the stack of whoever walks through them
DEEPEST = 64


def parse(text: bytes) -> Any:
    """The value; raises `ValueError`, which says in a few words what is wrong."""
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not is_shallow(value):
        raise ValueError(_TOO_DEEP)
    return value


def is_shallow(value: Any, levels: int = DEEPEST) -> bool:
    """Whether a value has at most so many levels of lists and mappings."""
    if isinstance(value, dict | list):
        within = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(is_shallow(each, levels - 1) for each in within)
    return True


def without_infinities(value: Any) -> Any:
    """A value as strict JSON has it: infinities and NaN, which it does not have, become None."""
    if isinstance(value, Mapping):
        return {key: without_infinities(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinities(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_TOO_DEEP = f"nested more than {DEEPEST} levels deep"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value
