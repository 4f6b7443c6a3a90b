"""A tokenizer that needs no download: one token per byte."""

from __future__ import annotations

from typing import Any

#: the 256 bytes, `<pad>` and `</s>`
SIZE = 258


def byte_tokenizer() -> Any:
    """A fast tokenizer whose tokens are bytes, so that decoding restores any text; `</s>` ends a sequence."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", clean_up_tokenization_spaces=False)
