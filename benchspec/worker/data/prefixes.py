"""The tokens of a prompt alone, found in those of prompt and answer together.

Stanford Alpaca's script tokenizes every prompt twice: with its answer, for the ids, and alone, for the number of tokens
that are not learnt. With byte-level BPE the second time is seldom needed. Its pre-tokenizer cuts a text from left to
right, so that up to the piece in which the prompt ends, both texts have the same pieces. Within that piece, no merge
has crossed a place where a token ends, so that the merges before it are those of the prompt alone. The last piece of
the prompt alone is the beginning of that of both together if the prompt ends with a punctuation mark: whitespace and
letters are cut by what follows them.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: BLOOM's own pattern of pieces
_BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"


class Prefixes:
    """Finds the tokens of prompts in the ids of whole texts, for a tokenizer of which that is known to be right."""

    def __init__(self, backend: Any, described: dict[str, Any]):
        added = [token["id"] for token in described["added_tokens"]]
        vocabulary = backend.get_vocab(with_added_tokens=True)
        #: the bytes of text that each token stands for
        self._bytes = np.zeros(max(vocabulary.values()) + 1, np.int64)
        for token, id in vocabulary.items():
            # In the byte-level alphabet, a character is a byte.
            self._bytes[id] = len(token.encode()) if id in added else len(token)
        mask = backend.encode("a").special_tokens_mask
        letters = [place for place, special in enumerate(mask) if not special]
        #: tokens that stand before and after each text
        self._before, self._after = letters[0], len(mask) - 1 - letters[-1]

    @classmethod
    def of(cls, backend: Any) -> Prefixes | None:
        """For a tokenizer; None if its prompts have to be tokenized alone."""
        described = json.loads(backend.to_str())
        return cls(backend, described) if _is_known(described) else None

    def lengths(
        self, prompts: Sequence[str], texts: Sequence[str], ids: NDArray[np.int32], sizes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The tokens of each prompt alone; -1 where they cannot be told from the text's, none of which are left out.

        `ids` are those of all texts one after the other, of as many each as `sizes` says.
        """
        ends = np.cumsum(self._bytes[ids])
        starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
        first, last = starts + self._before, starts + sizes - 1 - self._after
        # Of a text without a token, nothing can be told; the places are those of some other then.
        known = (first <= last) & (sizes > 0)
        first, last = np.minimum(first, len(ids) - 1), np.maximum(last, 0)
        begins = ends[first] - self._bytes[ids[first]]
        whole, wanted = _bytes_of(texts), begins + _bytes_of(prompts)
        found = np.minimum(np.searchsorted(ends, wanted), len(ids) - 1)
        known &= (ends[last] - begins == whole) & (ends[found] == wanted) & (found >= first) & (found <= last)
        known &= [prompt[-1:] in _MARKS for prompt in prompts]
        return np.where(known, found + 1 - starts + self._after, -1)


def _bytes_of(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts))


_MARKS = frozenset(string.punctuation)


def _is_known(described: dict[str, Any]) -> bool:
    """Whether a tokenizer is byte-level BPE as described above, with GPT-2's pieces or BLOOM's."""
    model = described["model"]
    plain = not any(
        model.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
    )
    pieces = described["pre_tokenizer"]
    return bool(
        model["type"] == "BPE" and plain and described["normalizer"] is None and pieces and _has_known_pieces(pieces)
    )


def _has_known_pieces(pieces: dict[str, Any]) -> bool:
    if pieces["type"] == "ByteLevel":
        # A space that is put before texts is also put after some tokens within them.
        return bool(pieces.get("use_regex", True)) and not pieces["add_prefix_space"]
    if pieces["type"] != "Sequence" or [part["type"] for part in pieces["pretokenizers"]] != ["Split", "ByteLevel"]:
        return False
    split, level = pieces["pretokenizers"]
    cut = split["pattern"].get("Regex") == _BLOOM and split["behavior"] == "Isolated" and not split["invert"]
    return cut and not level.get("use_regex", True) and not level["add_prefix_space"]
