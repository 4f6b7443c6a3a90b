"""Token arrays -> batches: the rows of a dataset, read from memory-mapped files, and the tensors of a step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from benchspec.worker.data.prepared import Prepared

#: the label of tokens that the loss leaves out; the default of torch's cross-entropy
IGNORED = -100


class Tokens(TypedDict):
    """One row."""

    #: int32 token ids, a read-only view of the mapped array
    input_ids: NDArray[np.int32]
    #: the number of prompt tokens at the start
    prompt: int


class TokenData:
    """The rows to train on, in order and with repeats: a map-style dataset on memory-mapped files.

    Each access creates a new mapping for the row, whose tokens are a read-only view.
    """

    def __init__(self, cache: Path, prepared: Prepared):
        folder = cache / prepared.arrays
        self._ids = mapped(folder / "ids.npy")
        self._starts = mapped(folder / "starts.npy")
        self._prompts = mapped(folder / "prompts.npy")
        self._order = None if prepared.order is None else mapped(cache / prepared.order)
        #: the files, and the totals of what they hold
        self.prepared = prepared
        #: rows, repeats counted
        self.rows = prepared.rows
        #: whitespace-separated words in them, without the template
        self.words = prepared.words
        #: tokens in them, without the template and before truncation
        self.tokens = prepared.tokens
        self._places = range(self.rows)

    def prompt_lengths(self) -> NDArray[np.int32]:
        """The tokens of each distinct row's prompt, before truncation."""
        return self._prompts

    def lengths(self) -> NDArray[np.int64]:
        """The tokens of each row, repeats included."""
        lengths = np.diff(self._starts)
        return lengths if self._order is None else lengths[self._order]

    def learnt(self) -> NDArray[np.int64]:
        """The labelled tokens of each row, repeats included."""
        # Nothing predicts a row's first token.
        learnt: NDArray[np.int64] = np.maximum(0, np.diff(self._starts) - np.maximum(self._prompts, 1))
        return learnt if self._order is None else learnt[self._order]

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int) -> Tokens:
        # The range raises IndexError beyond the end, and counts negative places from the end.
        place = self._places[place]
        row = place if self._order is None else self._order[place]
        ids = self._ids[self._starts[row] : self._starts[row + 1]]
        return {"input_ids": ids, "prompt": min(int(self._prompts[row]), len(ids))}


def padding_token(tokenizer: Any) -> int:
    """The id to pad with: the tokenizer's padding token, or its end-of-sequence token if it has none.

    Either is safe: the attention mask is computed from lengths, so no real token is mistaken for padding. Stanford
    Alpaca's script adds a token and grows the embeddings instead, which changes the model that is measured.
    """
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def collate(rows: Sequence[Tokens], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of int64 tensors of shape (rows, longest row), padded on the right.

    They are `input_ids`; `attention_mask`, 1 for each real token, even one that equals `pad_id`; and `labels`, which
    are `IGNORED` for prompt and padding.
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
    """The array in a file, memory-mapped read-only; a plain array, because slicing a `memmap` is five times slower."""
    return np.load(file, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]
