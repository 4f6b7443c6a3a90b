"""A tokenizer that needs no download: one token a byte."""

from __future__ import annotations

from typing import Any

#: special tokens as text: Unicode's noncharacters stand in no text, while `</s>` also is HTML
END, PADDING = "\ufdd0", "\ufdd1"
#: the 256 bytes and the special tokens
SIZE = 258


def byte_tokenizer() -> Any:
    """A fast tokenizer whose tokens are bytes, so that any text comes back as it was; `END` ends a sequence."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)  # type: ignore[assignment]
    raw.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PADDING, eos_token=END, clean_up_tokenization_spaces=False
    )
