"""Token arrays -> batches: the rows of a data set, read from mapped files, and the tensors that a step computes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

#: the label of a token that is not learnt, as torch's cross-entropy has it
IGNORED = -100


class Tokens(TypedDict):
    """One row."""

    #: int32 token ids, a read-only view of the mapped array
    input_ids: NDArray[np.int32]
    #: how many of the first tokens are the prompt
    prompt: int


class TokenData:
    """The rows to train on, in order and with their repeats: a map-style dataset that holds nothing but mapped files.

    Each row is a mapping of its own, made when it is asked for; nobody can change the tokens.
    """

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
        self._places = range(self.rows)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int) -> Tokens:
        # The range refuses places that do not exist, and counts negative ones from the end.
        place = self._places[place]
        row = place if self._order is None else self._order[place]
        ids = self._ids[self._starts[row] : self._starts[row + 1]]
        return {"input_ids": ids, "prompt": int(self._prompts[row])}


def padding_token(tokenizer: Any) -> int:
    """The id to pad with: the tokenizer's padding token, or its end-of-sequence token where it has none.

    Either is safe: the attention mask is made of lengths, so that no real token is taken for padding. Stanford Alpaca's
    script adds a token and grows the embeddings instead, which changes the model that is measured.
    """
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def collate(rows: Sequence[Tokens], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of int64 tensors of shape (rows, longest row), padded on the right.

    `input_ids`; `attention_mask`, 1 for each real token, even one that equals `pad_id`; `labels`, which are `IGNORED`
    for prompt and padding.
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
    """The array in a file, mapped read-only; a plain array, since slicing a `memmap` takes five times as long."""
    return np.load(file, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]
