"""Whether rows have an answer to learn from: a prompt may fill `train.max_length`."""

from __future__ import annotations

import sys

import numpy as np

from benchspec.terms.errors import BenchspecError
from benchspec.terms.shares import unanswered_text
from benchspec.worker.data.batches import TokenData


def check(data: TokenData, name: str, max_length: int) -> None:
    """Raise `BenchspecError` if no row of the data set `name` has a labelled token; warn on stderr of many without."""
    rows, without = data.prepared.rows, data.prepared.without_answer
    text = unanswered_text(rows, without)
    if text is None:
        return
    lengths = data.prompt_lengths()
    longest, median = int(lengths.max()), int(np.median(lengths))
    words = (
        f"dataset {name!r}: {text}: prompts take {median} tokens in the median and {longest} at most, and "
        f"train.max_length is {max_length}; set it to more than {longest}, or shorten the prompts"
    )
    if without == rows:
        raise BenchspecError(words)
    print(f"warning: {words}", file=sys.stderr)  # noqa: T201
