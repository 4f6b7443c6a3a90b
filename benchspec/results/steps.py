"""The optimizer steps of a case, each combined over all ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchspec.results.clocks import Span, moment, offsets, overall
from benchspec.results.events import Event, world_size
from benchspec.terms.outcomes import FIRST_STEP

#: the events of each rank
Ranks = Mapping[int, Sequence[Event]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """An optimizer step that every rank has finished; the counts are sums over ranks."""

    #: counted from 1
    step: int
    #: from the end of the previous step to the end of this one, each on its slowest rank, without the time in which a
    #: checkpoint was saved or the model evaluated; None if that is not known
    seconds: float | None
    #: None if it was not finite; so is `grad_norm`
    loss: float | None
    grad_norm: float | None
    rows: int
    #: None where a rank does not know it, as the two below
    tokens: int | None
    padded_tokens: int | None
    loss_tokens: int | None
    #: those that went through the network's blocks, and through its head
    block_tokens: int | None
    head_tokens: int | None


class _Report(NamedTuple):
    """A step as one rank has reported it."""

    event: Event
    #: when
    ended: float
    #: when it saved or evaluated since its previous step
    pauses: Sequence[Span]


def of_kind(ranks: Ranks, kind: str) -> Iterator[Event]:
    """The events of a kind, rank by rank."""
    return (event for rank in sorted(ranks) for event in ranks[rank] if event["event"] == kind)


def group_size(ranks: Ranks) -> int:
    """The number of ranks; if no rank has reported it, the number of event files."""
    return world_size(ranks) or len(ranks)


def rows_of_full_step(ranks: Ranks, train: Mapping[str, Any]) -> int | None:
    """The rows of all ranks in a step whose accumulation is full; `train` are the fields of the case's `train`.

    None if they do not say it, as those of a loop that was measured from outside, or of a recipe that packs rows.
    """
    if train["batch_size"] is None or any(event.get("rows_vary") for event in of_kind(ranks, "data")):
        return None
    return int(train["batch_size"] * train["gradient_accumulation"] * group_size(ranks))


def combined(ranks: Ranks) -> list[Step]:
    """The steps that every rank has finished, in order."""
    reports: dict[int, list[_Report]] = {}
    clocks = offsets(ranks)
    for rank in sorted(ranks):
        for report in _reports(ranks[rank], clocks[rank]):
            reports.setdefault(report.event["step"], []).append(report)
    world = group_size(ranks)
    whole = {number: reports[number] for number in sorted(reports) if len(reports[number]) == world}
    ends = {**_training_begin(ranks, clocks), **{number: _end(found) for number, found in whole.items()}}
    return [_step(number, found, _seconds(found, ends.get(number - 1))) for number, found in whole.items()]


def _reports(events: Sequence[Event], offset: float) -> Iterator[_Report]:
    pauses: list[Span] = []
    begun: float | None = None
    for event in events:
        if event["event"] == "step":
            yield _Report(event, moment(event, offset), pauses)
            pauses = []
        elif event["event"] == "begin" and event["phase"] in _PAUSES:
            begun = moment(event, offset)
        elif event["event"] == "end" and event["phase"] in _PAUSES and begun is not None:
            pauses.append((begun, moment(event, offset)))
            begun = None


#: the phases within training that are no part of a step
_PAUSES = ("save", "evaluate")


def _training_begin(ranks: Ranks, clocks: Mapping[int, float]) -> dict[int, float]:
    """{0: when the last rank began its first step}, as if a step 0 ended then; empty if no rank did."""
    begins = [
        moment(event, clocks[rank])
        for rank, events in ranks.items()
        for event in events
        if event["event"] == "begin" and event["phase"] == FIRST_STEP
    ]
    return {0: max(begins)} if begins else {}


def _end(reports: Sequence[_Report]) -> float:
    return max(report.ended for report in reports)


def _seconds(reports: Sequence[_Report], previous: float | None) -> float | None:
    """How long a step took after the end of the previous one; None if evidence without clocks has it end earlier."""
    if previous is None:
        return None
    seconds = _end(reports) - previous
    for begun, ended in overall(report.pauses for report in reports):
        # Where ranks pause at different times, a part that two spans share counts once.
        seconds -= max(0.0, ended - max(begun, previous))
        previous = max(ended, previous)
    return seconds if seconds >= 0 else None


def _step(number: int, reports: Sequence[_Report], seconds: float | None) -> Step:
    tokens = ("tokens", "padded_tokens", "loss_tokens")
    counts = {key: _sum([report.event[key] for report in reports]) for key in tokens}
    for key in ("block_tokens", "head_tokens"):
        counts[key] = _sum([report.event.get(key, report.event["padded_tokens"]) for report in reports])
    rows = sum(report.event["rows"] for report in reports)
    # Every rank reports the mean loss and the gradient norm of all ranks.
    first = reports[0].event
    return Step(step=number, seconds=seconds, loss=first["loss"], grad_norm=first["grad_norm"], rows=rows, **counts)


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum over all ranks; None if one of them does not know its part."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
