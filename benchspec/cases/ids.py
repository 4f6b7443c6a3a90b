"""A case's id: `opt-6.7b-rows-10000-1f9c2a`, readable, with a digest of what the spec says about the case."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchspec.cases.matrix import Combination
from benchspec.kinds.bases import CASE_KINDS
from benchspec.terms.where import OWN

#: hexadecimal digits of a digest; more where two cases would have the same id
DIGITS = 6


def case_ids(cases: Sequence[tuple[Mapping[str, Any], Combination]]) -> list[str]:
    """The ids of an experiment's cases, each given by what the spec says and by its axes.

    Digests are longer where cases that differ would have the same id. All of them are: which one kept the short id
    would otherwise depend on their order, and one could take another's results.
    """
    words = [readable(said, combination) for said, combination in cases]
    digests = [digest(said) for said, _ in cases]
    digits = [DIGITS] * len(cases)
    while clashes := _clashes(
        [(word, full[:n]) for word, full, n in zip(words, digests, digits, strict=True)], digests
    ):
        for index in clashes:
            digits[index] += DIGITS
    return [f"{word}-{full[:n]}" for word, full, n in zip(words, digests, digits, strict=True)]


def _clashes(ids: Sequence[tuple[str, str]], digests: Sequence[str]) -> list[int]:
    """The places of equal ids whose whole digests differ."""
    places: dict[tuple[str, str], list[int]] = {}
    for index, found in enumerate(ids):
        places.setdefault(found, []).append(index)
    return [index for same in places.values() if len({digests[index] for index in same}) > 1 for index in same]


def readable(said: Mapping[str, Any], combination: Combination) -> str:
    """`opt-6.7b-rows-10000`: the model and the values of the other axes."""
    others = [_words(path, node.plain()) for path, node in combination.items() if path not in ("model", "model.name")]
    words = re.sub(r"(?<=\d)e\+(?=\d)", "e", "-".join([said["model"]["name"], *others]))
    return re.sub(r"[^a-z0-9._]+", "-", words.lower()).strip("-.")[:80]


def digest(said: Mapping[str, Any]) -> str:
    """The SHA-256 of what the spec says about a case."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _words(path: str, value: Any) -> str:
    """An axis value in a case's id: a plugin's name and options, or a scalar after the last part of its path."""
    if isinstance(value, dict):
        options = [f"{key}-{item}" for key, item in value.items() if key != "name" and not isinstance(item, dict)]
        return "-".join([*([str(value["name"]).removeprefix(OWN)] if "name" in value else []), *options])
    return str(value).removeprefix(OWN) if path in CASE_KINDS else f"{path.split('.')[-1]}-{value}"
