"""Every tokenizer is used in the same way, and left unchanged."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

from token_data import PLAIN_ROWS, Listed, Unwrapped, papers, prepared, word_tokenizer

from benchspec.worker.data.encode import FastEncoder, PlainEncoder


@pytest.fixture
def words() -> Any:
    return word_tokenizer()


def test_a_tokenizer_is_left_as_it_was(words: Any, tmp_path: Path) -> None:
    words.backend_tokenizer.enable_truncation(7)
    words.backend_tokenizer.enable_padding(pad_id=0, length=9)
    before = words.backend_tokenizer.truncation, words.backend_tokenizer.padding
    data = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    assert (words.backend_tokenizer.truncation, words.backend_tokenizer.padding) == before
    words.backend_tokenizer.no_truncation()
    words.backend_tokenizer.no_padding()
    assert data[1]["input_ids"].tolist() == papers(PLAIN_ROWS[1], words, 512)[0]


def test_both_encoders_agree(words: Any) -> None:
    texts = ["Name a colour", "", "red red red red"]
    fast, plain = FastEncoder(words), PlainEncoder(Unwrapped(words))
    assert fast.lengths(texts).tolist() == plain.lengths(texts).tolist() == [4, 1, 5]
    with fast.truncating(3), plain.truncating(3):
        found, other = (each.encode(texts, ["Name", "", "red red"], [""] * 3) for each in (fast, plain))
        assert found.ids.tolist() == other.ids.tolist()
        assert found.lengths.tolist() == other.lengths.tolist() == [3, 1, 3]
        assert found.whole.tolist() == [4, 1, 5]
        assert found.prompts.tolist() == other.prompts.tolist() == [2, 1, 3]
        assert fast.lengths(texts).tolist() == plain.lengths(texts).tolist() == [4, 1, 5]
    assert fast.eos == plain.eos
    assert len({FastEncoder(words).identity, plain.identity}) == 2


def test_tokenizers_that_end_a_sequence_differently_are_told_apart(words: Any) -> None:
    before = FastEncoder(words).identity
    words.eos_token = "<unk>"
    assert FastEncoder(words).identity != before
