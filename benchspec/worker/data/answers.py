"""Whether rows have an answer to learn from: a prompt may fill `train.max_length`."""

from __future__ import annotations

import numpy as np

from benchspec.terms.errors import BenchspecError
from benchspec.worker.data.batches import TokenData

#: the share of rows without an answer from which there is a warning
WARN_FROM = 0.01


def check(data: TokenData, name: str, max_length: int) -> str | None:
    """A warning if many rows of the data set `name` have no labelled token; None if there are few.

    Raises `BenchspecError` if no row has any.
    """
    rows, without = data.prepared.rows, data.prepared.without_answer
    if without < WARN_FROM * rows:
        return None
    lengths = data.prompt_lengths()
    longest = int(lengths.max())
    words = (
        f"dataset '{name}': {100 * without / rows:.3g}% of the rows ({without:,} of {rows:,}) have no answer within "
        f"train.max_length, {max_length} tokens, because their prompts fill it: prompts have "
        f"{int(np.median(lengths))} tokens in the median, {longest} at most; set train.max_length to more than "
        f"{longest}, or shorten the prompts"
    )
    if without == rows:
        raise BenchspecError(words)
    return words
