"""Rows become the tokens that the paper's script made of them."""

import errno
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

import numpy as np
from token_data import PLAIN_ROWS, Listed, Unwrapped, alpaca_rows, opt_tokenizer, papers, prepared, word_tokenizer

from benchspec.kinds.values import Row
from benchspec.terms.errors import RunError


@pytest.fixture(scope="session")
def opt() -> Any:
    return opt_tokenizer()


@pytest.fixture(scope="session")
def demo() -> list[Row]:
    return alpaca_rows()


@pytest.fixture
def words() -> Any:
    return word_tokenizer()


@pytest.mark.parametrize("max_length", [512, 96])
@pytest.mark.parametrize("backend", ["fast", "plain"])
def test_tokens_are_those_of_the_papers_script(
    demo: list[Row], opt: Any, tmp_path: Path, max_length: int, backend: str
) -> None:
    tokenizer = opt if backend == "fast" else Unwrapped(opt)
    data = prepared(Listed(demo), tokenizer, tmp_path, max_length)
    assert len(data) == 999
    for place, row in enumerate(demo):
        ids, prompt = papers(row, opt, max_length)
        assert data[place]["input_ids"].tolist() == ids
        assert data[place]["prompt"] == prompt


def test_a_tokenizers_own_padding_and_truncation_are_not_counted(tmp_path: Path) -> None:
    plain, padding = word_tokenizer(), word_tokenizer()
    padding.backend_tokenizer.enable_padding(pad_id=0, length=128)
    padding.backend_tokenizer.enable_truncation(6, stride=2)
    found = [prepared(Listed(PLAIN_ROWS), each, tmp_path / name) for each, name in ((plain, "a"), (padding, "b"))]
    assert found[0].tokens == found[1].tokens > 0


def test_words_and_tokens_leave_the_template_out(demo: list[Row], opt: Any, tmp_path: Path) -> None:
    data = prepared(Listed(demo), opt, tmp_path)
    assert data.words == sum(len(text.split()) for row in demo for text in row)
    apart = sum(len(opt(text, add_special_tokens=False)["input_ids"]) for row in demo for text in row if text)
    assert data.tokens == pytest.approx(apart, rel=0.003)
    short = prepared(Listed(demo), opt, tmp_path, max_length=96, settings={"name": "short"})
    assert short.tokens == data.tokens, "what was cut off is not counted"
    assert sum(len(short[place]["input_ids"]) for place in range(999)) < data.tokens


def test_a_full_disk_is_one_line(words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RunError, match=r"^the token arrays cannot be written to .*: No space left on device$"):
        prepared(Listed(PLAIN_ROWS), words, tmp_path)
    monkeypatch.undo()
    assert len(prepared(Listed(PLAIN_ROWS), words, tmp_path)) == 3


def test_more_rows_than_a_chunk_keep_their_places(words: Any, tmp_path: Path) -> None:
    many = [Row("a " * (place % 7), "", "red") for place in range(9001)]
    data = prepared(Listed(many), words, tmp_path)
    assert len(data) == 9001
    for place in (0, 4095, 4096, 8191, 8192, 9000):
        assert data[place]["input_ids"].tolist() == papers(many[place], words, 512)[0]
