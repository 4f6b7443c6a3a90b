"""One interface for fast and slow tokenizers that encodes batches of texts, on every core if the tokenizer can.

Only workers import this module.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchspec.worker.data.prefixes import Beginning, Prefixes, is_byte_level_bpe


class Encoded(NamedTuple):
    """Texts as tokens."""

    #: of all texts one after the other, each truncated
    ids: NDArray[np.int32]
    #: of each text, how many of them there are
    lengths: NDArray[np.int64]
    #: and how many without truncation
    whole: NDArray[np.int64]
    #: tokens of each prompt alone, without truncation
    prompts: NDArray[np.int64]


class Encoder(Protocol):
    """The interface of a tokenizer that prepares token arrays."""

    #: the end-of-sequence token's text
    eos: str
    #: a text that differs between tokenizers that encode differently, the version of their library included
    identity: str

    def truncating(self, max_length: int) -> AbstractContextManager[None]:
        """A context in which each text is truncated to `max_length` tokens."""

    def encode(self, texts: list[str], prompts: list[str], heads: list[str]) -> Encoded:
        """The texts as tokens; each begins with its prompt, and that with its head: its template's first words."""

    def lengths(self, texts: list[str]) -> NDArray[np.int64]:
        """The number of ids of each text, without truncation."""


class FastEncoder:
    """The Rust tokenizer inside a `transformers` tokenizer; calling it directly avoids a wrapper object per text."""

    def __init__(self, tokenizer: Any):
        # After a fork, the Rust tokenizer would use only one thread.
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        self._backend = tokenizer.backend_tokenizer
        self._batch = getattr(self._backend, "encode_batch_fast", self._backend.encode_batch)
        self._side = tokenizer.truncation_side
        #: tokens that are added to each part of a text, such as begin of sequence
        self._added: int = self._backend.num_special_tokens_to_add(False)
        self.eos: str = tokenizer.eos_token
        with self._bare():
            self.identity = json.dumps([version("tokenizers"), self._side, self.eos, self._backend.to_str()])

    @contextmanager
    def _bare(self) -> Iterator[None]:
        """A context in which the Rust tokenizer neither truncates nor pads; its settings are restored afterwards."""
        truncation, padding = self._backend.truncation, self._backend.padding
        self._backend.no_truncation()
        self._backend.no_padding()
        try:
            yield
        finally:
            self._backend.no_truncation() if truncation is None else self._backend.enable_truncation(**truncation)
            self._backend.no_padding() if padding is None else self._backend.enable_padding(**padding)

    @contextmanager
    def truncating(self, max_length: int) -> Iterator[None]:
        with self._bare():
            self._backend.enable_truncation(max_length, direction=self._side)
            yield

    def encode(self, texts: list[str], prompts: list[str], heads: list[str]) -> Encoded:
        found = self._batch(texts)
        ids, lengths = _joined([one.ids for one in found])
        whole = lengths.copy()
        # Whatever is truncated is as long as the longest.
        for place in np.flatnonzero(lengths == lengths.max(initial=0)):
            whole[place] = self._length(found[place])
        return Encoded(ids, lengths, whole, self.lengths(prompts))

    def lengths(self, texts: list[str]) -> NDArray[np.int64]:
        return np.fromiter(map(self._length, self._batch(texts)), np.int64, len(texts))

    def _length(self, encoding: Any) -> int:
        """The number of ids without truncation, from those that are kept and those that overflow."""
        return int(len(encoding) + sum(len(rest) - self._added for rest in encoding.overflowing))


class ByteLevelEncoder(FastEncoder):
    """A Rust tokenizer that `is_byte_level_bpe`: it is spared the templates' first words, and prompts alone."""

    #: tokens of its own that a text is truncated to
    _room = sys.maxsize

    def __init__(self, tokenizer: Any):
        super().__init__(tokenizer)
        with self._bare():
            self._prefixes = Prefixes(self._backend)

    @contextmanager
    def truncating(self, max_length: int) -> Iterator[None]:
        room, self._room = self._room, max(max_length - self._added, 0)
        try:
            with self._bare():
                yield
        finally:
            self._room = room

    def encode(self, texts: list[str], prompts: list[str], heads: list[str]) -> Encoded:
        known = {head: self._prefixes.beginning(head) for head in set(heads)}
        begins = [known[head] for head in heads]
        rest = self._rest(texts, begins)
        own = self._own(begins, rest)
        whole, lengths = own + self._added, np.minimum(own, self._room) + self._added
        parts = chain.from_iterable(self._parts([ids for _, ids in begins], rest))
        ids = np.fromiter(parts, np.int32, int(lengths.sum()))
        alone = self._prefixes.lengths(prompts, texts, ids, lengths)
        unknown = np.flatnonzero((alone < 0) | (whole > lengths))
        if len(unknown):
            begins = [begins[place] for place in unknown]
            alone[unknown] = self._added + self._own(begins, self._rest([prompts[place] for place in unknown], begins))
        return Encoded(ids, lengths, whole, alone)

    def _rest(self, texts: Sequence[str], begins: Sequence[Beginning]) -> Sequence[Any]:
        """The tokens of each text after its beginning."""
        rest = [text[len(begin) :] for text, (begin, _) in zip(texts, begins, strict=True)]
        return self._batch(rest, add_special_tokens=False)  # type: ignore[no-any-return]

    def _own(self, begins: Sequence[Beginning], rest: Sequence[Any]) -> NDArray[np.int64]:
        """How many tokens each text has without those that are added."""
        return np.fromiter((len(ids) for _, ids in begins), np.int64, len(begins)) + _lengths(rest)

    def _parts(self, begins: Sequence[list[int]], rest: Sequence[Any]) -> Iterator[list[int]]:
        """The tokens of each text, truncated, in parts; lists that stayed would be the garbage collector's work."""
        before, after = self._prefixes.before, self._prefixes.after
        for begin, one in zip(begins, rest, strict=True):
            yield before
            if (over := len(begin) + len(one) - self._room) <= 0:
                yield begin
                yield one.ids
            else:
                own = begin + one.ids
                yield own[over:] if self._side == "left" else own[:-over]
            yield after


class PlainEncoder:
    """A pure-Python tokenizer; ids that truncation removes are not counted."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._limit: dict[str, Any] = {}
        self.eos: str = tokenizer.eos_token
        special = tokenizer.special_tokens_map
        self.identity = json.dumps(
            [version("transformers"), type(tokenizer).__qualname__, tokenizer.get_vocab(), special], sort_keys=True
        )

    @contextmanager
    def truncating(self, max_length: int) -> Iterator[None]:
        self._limit = {"truncation": True, "max_length": max_length}
        try:
            yield
        finally:
            self._limit = {}

    def encode(self, texts: list[str], prompts: list[str], heads: list[str]) -> Encoded:
        ids, lengths = _joined(self._tokenizer(texts, **self._limit)["input_ids"])
        return Encoded(ids, lengths, lengths, self.lengths(prompts))

    def lengths(self, texts: list[str]) -> NDArray[np.int64]:
        return np.fromiter(map(len, self._tokenizer(texts)["input_ids"]), np.int64, len(texts))


def _joined(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """All of them one after the other, and the length of each."""
    lengths = _lengths(rows)
    return np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths


def _lengths(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), np.int64, len(rows))


def encoder_for(tokenizer: Any) -> Encoder:
    """The fastest encoder for a `transformers` tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return PlainEncoder(tokenizer)
    return ByteLevelEncoder(tokenizer) if is_byte_level_bpe(backend) else FastEncoder(tokenizer)
