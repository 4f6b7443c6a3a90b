"""Whether the steps that a finished case reports can be: a recipe counts them itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchspec.results.steps import Ranks, Step, group_size, of_kind, rows_of_full_step


def contradiction(ranks: Ranks, steps: Sequence[Step], train: Mapping[str, Any], recipe: str) -> str | None:
    """Why the reported steps of all ranks cannot be right, in a sentence; None if they can.

    `steps` are the ranks' together; `train` are the fields of the case's `train`; `recipe` is the name of its recipe.
    """
    if problem := _data(ranks):
        return problem
    problem = _apart(ranks) or _count(ranks, steps, train) or _size(ranks, steps, train)
    return f"the recipe '{recipe}' reports {problem}" if problem else None


def _data(ranks: Ranks) -> str | None:
    """Ranks whose rows differ, as on hosts that have made them each for itself."""
    found = {event["fingerprint"] for event in of_kind(ranks, "data") if event.get("fingerprint")}
    return (
        f"the ranks had {len(found)} different data sets; they must all have the same rows" if len(found) > 1 else None
    )


def _apart(ranks: Ranks) -> str | None:
    """Ranks that ended different numbers of steps."""
    counts = {rank: sum(event["event"] == "step" for event in ranks[rank]) for rank in sorted(ranks)}
    few, many = (pick(counts, key=lambda rank: counts[rank], default=None) for pick in (min, max))
    if few is None or many is None or counts[few] == counts[many]:
        return None
    return f"{_steps(counts[few])} on rank {few} and {_steps(counts[many])} on rank {many}"


def _count(ranks: Ranks, found: Sequence[Step], train: Mapping[str, Any]) -> str | None:
    """A number of steps that is not the planned one, or more than train.max_steps where the recipe plans none."""
    planned = next((event["planned_steps"] for event in of_kind(ranks, "data")), None)
    if planned is not None and len(found) < planned and any(of_kind(ranks, "sampled")):
        # It was told to stop.
        return None
    if planned is not None:
        return f"{_steps(len(found))}, but its plan is {_steps(planned)}" if len(found) != planned else None
    most = train["max_steps"]
    return f"{_steps(len(found))}, but train.max_steps is {most}" if most and len(found) > most else None


def _size(ranks: Ranks, found: Sequence[Step], train: Mapping[str, Any]) -> str | None:
    """A step with more rows, or more tokens, than all ranks' micro-batches hold."""
    batch, accumulation, length = train["batch_size"], train["gradient_accumulation"], train["max_length"]
    if (rows := rows_of_full_step(ranks, train)) is None:
        return None
    terms = f"train.batch_size {batch} × train.gradient_accumulation {accumulation} × ranks {group_size(ranks)}"
    for step in found:
        if step.rows > rows:
            return f"{step.rows:,} rows in step {step.step}, but a step has at most {rows:,} ({terms})"
        if step.tokens is not None and step.tokens > rows * length:
            most = f"{rows * length:,} ({terms} × train.max_length {length})"
            return f"{step.tokens:,} tokens in step {step.step}, but a step has at most {most}"
    return None


def _steps(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"
