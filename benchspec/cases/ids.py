"""A case's id: readable, with a digest of what the spec says about the case."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from benchspec.cases.matrix import Combination
from benchspec.kinds.bases import CASE_KINDS
from benchspec.terms.where import OWN


def case_id(said: Mapping[str, Any], combination: Combination) -> str:
    """`opt-6.7b-rows-10000-1f9c2a`: the model, the values of the other axes, and a digest of what the spec says."""
    others = [_words(path, node.plain()) for path, node in combination.items() if path not in ("model", "model.name")]
    words = "-".join([said["model"]["name"], *others])
    slug = re.sub(r"[^a-z0-9._]+", "-", words.lower()).strip("-.")[:80]
    return f"{slug}-{digest(said)}"


def digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _words(path: str, value: Any) -> str:
    """An axis value in a case's id: a plugin's name and options, or a scalar after the last part of its path."""
    if isinstance(value, dict):
        options = [f"{key}-{item}" for key, item in value.items() if key != "name" and not isinstance(item, dict)]
        return "-".join([*([str(value["name"]).removeprefix(OWN)] if "name" in value else []), *options])
    return str(value).removeprefix(OWN) if path in CASE_KINDS else f"{path.split('.')[-1]}-{value}"
