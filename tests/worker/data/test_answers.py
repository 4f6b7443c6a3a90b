"""Rows whose prompt leaves nothing of their answer are counted, warned of, and refused where no other rows are left."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

import numpy as np
from token_data import Listed, prepared, word_tokenizer

from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError
from benchspec.worker.data import answers
from benchspec.worker.data.batches import IGNORED, collate

SHORT, LONG = Row("Name a colour", "", "red"), Row("Name " * 50, "", "red")


def data(folder: Path, rows: list[Row], max_length: int, order: Any = None) -> Any:
    return prepared(Listed(rows, order), word_tokenizer(), folder, max_length=max_length)


def test_rows_without_an_answer_are_those_without_a_label(tmp_path: Path) -> None:
    found = data(tmp_path, [SHORT, LONG], 512)
    assert found.prepared.without_answer == 0
    lengths = [len(row["input_ids"]) for row in found]
    for length in range(min(lengths) - 4, max(lengths) + 1):
        shorter = data(tmp_path, [SHORT, LONG], length)
        labelled = [bool((collate([row], 0)["labels"] != IGNORED).any()) for row in shorter]
        assert shorter.prepared.without_answer == labelled.count(False)


def test_a_row_that_is_drawn_twice_counts_twice(tmp_path: Path) -> None:
    assert data(tmp_path, [SHORT, LONG], 60, np.array([1, 1, 0])).prepared.without_answer == 2


def test_data_without_any_answer_are_refused_with_what_to_do(tmp_path: Path) -> None:
    found = data(tmp_path, [LONG], 60)
    prompt = int(found.prompt_lengths()[0])
    with pytest.raises(BenchspecError) as error:
        answers.check(found, "listed", 60)
    assert str(error.value) == (
        "dataset 'listed': 100% of the rows (1 of 1) have no answer within train.max_length, 60 tokens, because their "
        f"prompts fill it: prompts have {prompt} tokens in the median, {prompt} at most; set train.max_length to more "
        f"than {prompt}, or shorten the prompts"
    )
    assert answers.check(data(tmp_path, [LONG], prompt + 1), "listed", prompt + 1) is None


@pytest.mark.parametrize(("rows", "share"), [(99, "1%"), (4, "20%"), (2, "33.3%")])
def test_many_rows_without_an_answer_are_warned_of(tmp_path: Path, rows: int, share: str) -> None:
    warning = answers.check(data(tmp_path, [*[SHORT] * rows, LONG], 60), "listed", 60)
    assert warning and f"dataset 'listed': {share} of the rows (1 of {rows + 1}) have no answer" in warning


def test_a_few_rows_without_an_answer_are_not_warned_of(tmp_path: Path) -> None:
    assert answers.check(data(tmp_path, [*[SHORT] * 100, LONG], 60), "listed", 60) is None
