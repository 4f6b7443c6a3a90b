"""Tokens that need not be computed anew: those of a template's first words, and how many a prompt has alone.

Stanford Alpaca's script tokenizes every prompt twice: with its answer, for the ids, and alone, for the number of tokens
that are not learnt. With byte-level BPE the second time is seldom needed. Its pre-tokenizer cuts a text from left to
right, so that up to the piece in which the prompt ends, both texts have the same pieces. Within that piece, no merge
has crossed a place where a token ends, so that the merges before it are those of the prompt alone. The last piece of
the prompt alone is the beginning of that of both together if the prompt ends with a punctuation mark: whitespace and
letters are cut by what follows them.

A piece also ends with a mark that whitespace follows, whatever comes after that. So the tokens of a template's first
words, up to the last such place, are the same in every row.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: BLOOM's own pattern of pieces
_BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"

#: how a text begins, and the tokens of that
Beginning = tuple[str, list[int]]


class Prefixes:
    """Tells the tokens of prompts from the ids of whole texts; right only for a tokenizer that `is_byte_level_bpe`."""

    def __init__(self, backend: Any):
        self._backend = backend
        added = backend.get_added_tokens_decoder()
        vocabulary = backend.get_vocab(with_added_tokens=True)
        #: the bytes of text that each token stands for
        self._bytes = np.zeros(max(vocabulary.values()) + 1, np.int64)
        for token, id in vocabulary.items():
            # In the byte-level alphabet, a character is a byte.
            self._bytes[id] = len(token.encode()) if id in added else len(token)
        letter = backend.encode("a")
        own = [place for place, special in enumerate(letter.special_tokens_mask) if not special]
        #: tokens that stand before and after each text
        self.before: list[int] = letter.ids[: own[0]]
        self.after: list[int] = letter.ids[own[-1] + 1 :]

    def beginning(self, head: str) -> Beginning:
        """The longest part of a template's first words that is the same tokens whatever follows, and these."""
        ends = [found.start() + 1 for found in _ENDS.finditer(head)]
        begins = head[: ends[-1]] if ends else ""
        return begins, self._backend.encode(begins, add_special_tokens=False).ids

    def lengths(
        self, prompts: Sequence[str], texts: Sequence[str], ids: NDArray[np.int32], sizes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """How many tokens each prompt has alone; -1 where its text's do not tell.

        Of a text that was truncated, the answer may be wrong. `ids` are those of all texts one after the other, of as
        many each as `sizes` says.
        """
        ends = np.cumsum(self._bytes[ids])
        starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
        first, last = starts + len(self.before), starts + sizes - 1 - len(self.after)
        # Of a text without a token, nothing can be told; the places are those of some other then.
        known = (first <= last) & (sizes > 0)
        first, last = np.minimum(first, len(ids) - 1), np.maximum(last, 0)
        begins = ends[first] - self._bytes[ids[first]]
        whole, wanted = _bytes_of(texts), begins + _bytes_of(prompts)
        found = np.minimum(np.searchsorted(ends, wanted), len(ids) - 1)
        known &= (ends[last] - begins == whole) & (ends[found] == wanted) & (found >= first) & (found <= last)
        known &= [prompt[-1:] in _MARKS for prompt in prompts]
        return np.where(known, found + 1 - starts + len(self.after), -1)


def _bytes_of(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts))


_MARKS = frozenset(string.punctuation)
#: a mark that ends its piece before whitespace, in GPT-2's pattern and in BLOOM's
_ENDS = re.compile(r"[:;#](?=[ \t\r\n])")


def is_byte_level_bpe(backend: Any) -> bool:
    """Whether a Rust tokenizer is one as described above, with GPT-2's pieces or BLOOM's."""
    from tokenizers.pre_tokenizers import ByteLevel

    described = json.loads(backend.to_str())
    model = described["model"]
    plain = not any(
        model.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
    )
    pieces = described["pre_tokenizer"]
    added = described["added_tokens"]
    # One that ends within a template's first words may take what follows with it; whether one that must be a word of
    # its own is found depends on what follows the prompt.
    plain = plain and not any(token["single_word"] or _ENDS.search(f"{token['content']} ") for token in added)
    return bool(
        model["type"] == "BPE"
        and plain
        # A byte without a token of its own would be left out, or be unknown.
        and model["vocab"].keys() >= set(ByteLevel.alphabet())
        and described["normalizer"] is None
        and pieces
        and _has_known_pieces(pieces)
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
