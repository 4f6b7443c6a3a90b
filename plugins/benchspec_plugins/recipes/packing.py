"""Rows of an optimizer step -> packs: sequences without padding, in which the start of a template stands once."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch


# Neither this nor `Pack` is frozen: of those, torch.compile of torch 2.11 looks at each field, and compiles anew for
# each number of segments. Tensors are not compared as a whole.
@dataclass(eq=False)
class Keys:
    """The keys that the segments of a pack see, one segment after the other: first a shared start's, then its own."""

    #: which token each of them is
    tokens: torch.Tensor
    #: of each token, where it stands among its own segment's keys
    own: torch.Tensor
    #: of each start, in the order of their segments, where it stands among the keys of the rows that continue it: an
    #: array of shape (rows, tokens of the start)
    followers: list[torch.Tensor]

    def to(self, device: Any) -> Keys:
        tokens, own, *others = (x.to(device, non_blocking=True) for x in (self.tokens, self.own, *self.followers))
        return Keys(tokens, own, others)


@dataclass(eq=False)
class Pack:
    """A micro-batch: the tokens of its segments one after the other.

    A segment is the start of a template, which several rows share, or a row without the start that it shares.
    """

    #: int64 of shape (tokens,), and of each token its place in its row
    ids: torch.Tensor
    positions: torch.Tensor
    #: the places whose next token is learnt, and these next tokens
    learnt: torch.Tensor
    targets: torch.Tensor
    #: tokens of each segment, and the segment that it continues, if any
    lengths: list[int]
    continues: list[int | None]
    #: for kernels of many sequences: the places of the keys that each segment sees (None: its own), where segments
    #: and their keys begin, the longest of each
    keys: Keys | None
    starts: torch.Tensor
    key_starts: torch.Tensor
    longest: int
    longest_keys: int

    def to(self, device: Any) -> Pack:
        moved: dict[str, Any] = {
            name: x.to(device, non_blocking=True) for name, x in vars(self).items() if torch.is_tensor(x)
        }
        return replace(self, keys=None if self.keys is None else self.keys.to(device), **moved)


class Counts(NamedTuple):
    """What this rank reports of a step."""

    rows: int
    tokens: int
    padded_tokens: int
    loss_tokens: int


class Step(NamedTuple):
    """An optimizer step as a rank computes it."""

    packs: list[Pack]
    #: labelled tokens of all ranks
    labelled: int
    counts: Counts

    @property
    def computed(self) -> dict[str, int]:
        """Tokens that go through the network's blocks, and through its head."""
        return {
            "block_tokens": sum(len(each.ids) for each in self.packs),
            "head_tokens": sum(len(each.learnt) for each in self.packs),
        }


def template_starts(tokenizer: Any, templates: Mapping[str, str]) -> list[np.ndarray[Any, Any]]:
    """The tokens that all rows of a template begin with, the longest first.

    The last token is left out: it may merge with what follows.
    """
    texts = (template.split("{", 1)[0] for template in templates.values())
    starts = (np.asarray(tokenizer(text)["input_ids"][:-1], np.int32) for text in texts)
    return sorted(starts, key=len, reverse=True)


def divide(rows: Sequence[Any], tokens: int, starts: Sequence[np.ndarray[Any, Any]], rank: int, world: int) -> Step:
    """A rank's packs of a step's rows, which are those of all ranks: each rank finds by itself what the others do.

    A pack has about `tokens` tokens. All ranks have the same number of packs, so that none waits for another.
    """
    lengths = [len(row["input_ids"]) for row in rows]
    wanted = math.ceil(sum(lengths) / (tokens * world))
    each = max(1, min(wanted, len(rows) // world))
    bins = spread_evenly(lengths, each * world)[rank * each : (rank + 1) * each]
    mine = [rows[place] for places in bins for place in places]
    total = sum(len(row["input_ids"]) for row in mine)
    return Step(
        packs=[pack([rows[place] for place in places], starts) for places in bins],
        labelled=sum(map(_labelled, rows)),
        counts=Counts(len(mine), total, total, sum(map(_labelled, mine))),
    )


def _labelled(row: Any) -> int:
    """Tokens of the answer. Nothing predicts a row's first token."""
    return max(0, len(row["input_ids"]) - max(int(row["prompt"]), 1))


def spread_evenly(lengths: Sequence[int], bins: int) -> list[list[int]]:
    """Which items go into which bin: the longest first, each to the bin that holds least; none is empty."""
    held: list[list[int]] = [[] for _ in range(bins)]
    sums = [(0, number) for number in range(bins)]
    for item in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        total, fewest = heapq.heappop(sums)
        held[fewest].append(item)
        heapq.heappush(sums, (total + lengths[item], fewest))
    return held


def pack(rows: Sequence[Any], starts: Sequence[np.ndarray[Any, Any]]) -> Pack:
    """One sequence of rows; a start that any of them has stands before them, once."""
    owners = [shared_start(row, starts) for row in rows]
    used = sorted({owner for owner in owners if owner is not None})
    place = {owner: number for number, owner in enumerate(used)}
    cuts = [0 if owner is None else len(starts[owner]) for owner in owners]
    rests = [row["input_ids"][cut:] for row, cut in zip(rows, cuts, strict=True)]
    segments = [*(starts[owner] for owner in used), *rests]
    lengths = [len(segment) for segment in segments]
    continues = [*[None] * len(used), *(None if owner is None else place[owner] for owner in owners)]
    begins = [0, *accumulate(lengths)]
    positions = [np.arange(length) + cut for length, cut in zip(lengths, [*[0] * len(used), *cuts], strict=True)]
    learnt, targets = [], []
    for row, cut, begin in zip(rows, cuts, begins[len(used) : -1], strict=True):
        first = max(row["prompt"], 1)
        learnt.append(np.arange(first - 1, len(row["input_ids"]) - 1) + begin - cut)
        targets.append(row["input_ids"][first:])
    own = [np.arange(begin, end) for begin, end in pairwise(begins)]
    seen = [
        mine if other is None else np.concatenate([own[other], mine])
        for mine, other in zip(own, continues, strict=True)
    ]
    key_lengths = [len(each) for each in seen]
    key_begins = [0, *accumulate(key_lengths)]
    return Pack(
        ids=_long(segments),
        positions=_long(positions),
        learnt=_long(learnt),
        targets=_long(targets),
        lengths=lengths,
        continues=continues,
        keys=_keys(seen, key_begins, lengths, continues) if used else None,
        starts=torch.tensor(begins, dtype=torch.int32),
        key_starts=torch.tensor(key_begins, dtype=torch.int32),
        longest=max(lengths),
        longest_keys=max(key_lengths),
    )


def _keys(seen: Sequence[Any], begins: Sequence[int], lengths: Sequence[int], continues: Sequence[int | None]) -> Keys:
    """Keys that segments of these lengths see, which begin there."""
    own = [np.arange(end - length, end) for end, length in zip(begins[1:], lengths, strict=True)]
    rows_of: dict[int, list[int]] = {}
    for begin, other in zip(begins, continues, strict=False):
        if other is not None:
            rows_of.setdefault(other, []).append(begin)
    followers = [np.add.outer(rows, np.arange(lengths[start])) for start, rows in sorted(rows_of.items())]
    return Keys(_long(seen), _long(own), [torch.from_numpy(each) for each in followers])


def shared_start(row: Any, starts: Sequence[np.ndarray[Any, Any]]) -> int | None:
    """Which start a row has; it must end before the first token that predicts the answer, and before the row does."""
    ids = row["input_ids"]
    fitting = (
        number
        for number, start in enumerate(starts)
        if 0 < len(start) < min(row["prompt"], len(ids)) and np.array_equal(ids[: len(start)], start)
    )
    return next(fitting, None)


def _long(parts: Sequence[Any]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))
