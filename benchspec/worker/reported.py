"""What a recipe reports of an optimizer step, checked before it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any


def check(recipe: str, counts: Mapping[str, Any], losses: Mapping[str, Any], computed: Mapping[str, Any]) -> None:
    """Raise `TypeError` or `ValueError` unless the counts of a rank, and loss and gradient norm, can be right.

    `counts` are rows, and labelled tokens, tokens and tokens with padding, each of which includes the one before;
    `computed` are the tokens that went through parts of the network.
    """
    said = f"job.step: the recipe '{recipe}' reports"
    for name, value in {**counts, **computed}.items():
        if type(value) is not int:
            raise TypeError(f"{said} {name} as {_shown(value)}; give a plain integer, such as int({name})")
        if value < 0:
            raise ValueError(f"{said} {name} as {value}; a count is at least 0")
    for name, value in losses.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{said} {name} as {_shown(value)}; give a plain number, such as float({name})")
    for part, whole in pairwise(("loss_tokens", "tokens", "padded_tokens")):
        if counts[part] > counts[whole]:
            raise ValueError(f"{said} {counts[part]} {part} of {counts[whole]} {whole}; {part} are a part of {whole}")
    for name, count in computed.items():
        if count > counts["padded_tokens"]:
            raise ValueError(
                f"{said} {count} {name} of {counts['padded_tokens']} padded_tokens; {name} are a part of them"
            )


def _shown(value: Any) -> str:
    """A value as it is written, and its type: `True, a bool`."""
    return f"{str(value)[:50]}, a {type(value).__name__}"
