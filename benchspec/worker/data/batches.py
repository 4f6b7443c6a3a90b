"""Token arrays -> batches: the rows to train on, mapped from the cache, and what a step computes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

#: labels that the loss passes over
IGNORED = -100


class Tokens(TypedDict):
    """One row, ready for `collate`."""

    #: int32 token ids, a view of the mapped array
    input_ids: NDArray[np.int32]
    #: how many of the first tokens are the prompt
    prompt: int


class TokenData:
    """The rows to train on, in order and with their repeats: a map-style dataset that holds nothing but memory maps."""

    def __init__(self, folder: Path, order: Path | None, totals: Mapping[str, int]):
        self._ids = mapped(folder / "ids.npy")
        self._starts = mapped(folder / "starts.npy")
        self._prompts = mapped(folder / "prompts.npy")
        self._order = None if order is None else mapped(order)
        #: rows, repeats counted
        self.rows = totals["rows"]
        #: whitespace-separated words in them, without the template
        self.words = totals["words"]
        #: tokens in them, without the template and before truncation
        self.tokens = totals["tokens"]

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int) -> Tokens:
        row = place if self._order is None else self._order[place]
        ids = self._ids[self._starts[row] : self._starts[row + 1]]
        return {"input_ids": ids, "prompt": int(self._prompts[row])}


def collate(rows: Sequence[Tokens], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of tensors of shape (rows, longest row), padded on the right; prompt and padding are not learnt.

    The attention mask says how long a row is, not which tokens look like padding: eos may be both.
    """
    import torch

    shape = len(rows), max(len(row["input_ids"]) for row in rows)
    ids = np.full(shape, pad_id, np.int64)
    mask = np.zeros(shape, np.int64)
    labels = np.full(shape, IGNORED, np.int64)
    for place, row in enumerate(rows):
        length, prompt = len(row["input_ids"]), row["prompt"]
        ids[place, :length] = row["input_ids"]
        mask[place, :length] = 1
        labels[place, prompt:length] = row["input_ids"][prompt:]
    arrays = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def mapped(file: Path) -> NDArray[Any]:
    """The array in `file`, mapped read-only; a plain view, whose slices cost a fifth of a `memmap`'s."""
    return np.load(file, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]
