"""Rows become batches: what is learnt, what is padding, and that nobody can change them."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

import numpy as np
from token_data import PLAIN_ROWS, Listed, opt_tokenizer, prepared, word_tokenizer

from benchspec.kinds.values import Row
from benchspec.worker.data.batches import IGNORED, collate, padding_token
from benchspec_plugins.recipes.alpaca import Alpaca


@pytest.fixture(scope="session")
def opt() -> Any:
    return opt_tokenizer()


@pytest.fixture
def words() -> Any:
    return word_tokenizer()


def test_a_quote_merges_with_the_prompt_and_the_mask_follows_the_prompt_alone(opt: Any, tmp_path: Path) -> None:
    row = prepared(Listed([Row("Say hello", "", '"Hello"')]), opt, tmp_path)[0]
    batch = collate([row], pad_id=1)
    apart = opt(Alpaca.templates["without_input"].format(instruction="Say hello"))["input_ids"]
    assert row["prompt"] == len(apart)
    # The colon and the quote are one token, which stands where the prompt alone ends in a colon: it is not learnt.
    assert row["input_ids"][row["prompt"] - 1] != apart[-1]
    assert opt.decode(batch["labels"][0][batch["labels"][0] != IGNORED]) == 'Hello"</s>'


def test_the_mask_follows_lengths_where_padding_is_end_of_sequence(words: Any, tmp_path: Path) -> None:
    data = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    batch = collate([data[0], data[1]], pad_id=words.eos_token_id)
    lengths = [len(data[0]["input_ids"]), len(data[1]["input_ids"])]
    assert batch["input_ids"].shape == (2, max(lengths))
    assert batch["attention_mask"].sum(1).tolist() == lengths
    assert batch["input_ids"][0, lengths[0] - 1] == batch["labels"][0, lengths[0] - 1] == words.eos_token_id
    assert (batch["labels"][0, lengths[0] :] == IGNORED).all()
    assert (batch["labels"][1, : data[1]["prompt"]] == IGNORED).all()
    assert {str(tensor.dtype) for tensor in batch.values()} == {"torch.int64"}


def test_nobody_can_change_the_tokens(words: Any, tmp_path: Path) -> None:
    data = prepared(Listed(PLAIN_ROWS, np.array([1, 1])), words, tmp_path)
    ids = data[0]["input_ids"]
    assert not ids.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 7
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        ids.flags.writeable = True
    data[0]["prompt"] = 7
    assert data[0]["prompt"] == data[1]["prompt"] != 7, "what a recipe does to its mapping stays its own"


def test_places_count_from_either_end_and_no_further(words: Any, tmp_path: Path) -> None:
    data = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    assert data[-1]["input_ids"].tolist() == data[2]["input_ids"].tolist() != []
    for place in (3, -4):
        with pytest.raises(IndexError):
            data[place]


def test_a_batch_is_made_of_any_mapping(words: Any, tmp_path: Path) -> None:
    row = prepared(Listed(PLAIN_ROWS), words, tmp_path)[0]
    batch = collate([MappingProxyType(row)], pad_id=0)
    assert batch["input_ids"][0].tolist() == row["input_ids"].tolist()


def test_end_of_sequence_pads_where_a_tokenizer_has_no_padding(words: Any) -> None:
    assert words.pad_token_id is None
    assert padding_token(words) == words.eos_token_id == 0
    words.pad_token = "<unk>"
    assert padding_token(words) == 1
