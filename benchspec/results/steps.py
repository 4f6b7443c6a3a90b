"""The optimizer steps of a case, each combined over all ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchspec.results.events import Event, world_size

#: the events of each rank
Ranks = Mapping[int, Sequence[Event]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """An optimizer step that every rank has finished; the counts are sums over ranks."""

    #: counted from 1
    step: int
    #: from the end of the previous step to the end of this one, each on its slowest rank; None if the former is unknown
    seconds: float | None
    #: None if it was not finite; so is `grad_norm`
    loss: float | None
    grad_norm: float | None
    rows: int
    tokens: int
    padded_tokens: int
    loss_tokens: int


def of_kind(ranks: Ranks, kind: str) -> Iterator[Event]:
    """The events of a kind, rank by rank."""
    return (event for rank in sorted(ranks) for event in ranks[rank] if event["event"] == kind)


def group_size(ranks: Ranks) -> int:
    """The number of ranks; if no rank has reported it, the number of event files."""
    return world_size(ranks) or len(ranks)


def steps(ranks: Ranks) -> list[Step]:
    """The steps that every rank has finished, in order."""
    reports: dict[int, list[Event]] = {}
    for event in of_kind(ranks, "step"):
        reports.setdefault(event["step"], []).append(event)
    world = group_size(ranks)
    whole = {number: reports[number] for number in sorted(reports) if len(reports[number]) == world}
    ends = {**_training_begin(ranks), **{number: _end(events) for number, events in whole.items()}}
    return [
        _step(number, events, ends[number] - ends[number - 1] if number - 1 in ends else None)
        for number, events in whole.items()
    ]


def _training_begin(ranks: Ranks) -> dict[int, float]:
    """{0: when the last rank began its first step}, as if a step 0 ended then; empty if no rank did."""
    begins = [event["time"] for event in of_kind(ranks, "begin") if event["phase"] == "first-step"]
    return {0: max(begins)} if begins else {}


def _end(events: Sequence[Event]) -> float:
    return max(float(event["time"]) for event in events)


def _step(number: int, events: Sequence[Event], seconds: float | None) -> Step:
    keys = ("rows", "tokens", "padded_tokens", "loss_tokens")
    counts = {key: sum(event[key] for event in events) for key in keys}
    # Every rank reports the mean loss and the gradient norm of all ranks.
    return Step(step=number, seconds=seconds, loss=events[0]["loss"], grad_norm=events[0]["grad_norm"], **counts)
