"""Rows become the tokens that the paper's script made of them, once, and are mapped from the cache afterwards."""

import errno
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("transformers")

import numpy as np

from benchspec.kinds.bases import Dataset
from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.worker.data.encode import FastEncoder, PlainEncoder
from benchspec.worker.data.prepare import IGNORED, TokenData, collate, prepare
from benchspec_plugins.recipes.alpaca import Alpaca

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PLAIN_ROWS = [
    Row("Name a colour", "", "red"),
    Row("Add the numbers", "2 and 3", "the sum is 5"),
    Row("Say nothing", "", ""),
]


class Listed(Dataset):
    """Rows that are there, and how often they were asked for."""

    name = "listed"

    def __init__(self, rows: Sequence[Row], order: Any = None):
        super().__init__({})
        self._rows, self._order = rows, order
        self.asked = 0

    def rows(self) -> Sequence[Row]:
        self.asked += 1
        return self._rows

    def order(self) -> Any:
        return self._order


class Unwrapped:
    """A tokenizer as those without a Rust backend are."""

    def __init__(self, inner: Any):
        self.inner = inner
        self.eos_token = inner.eos_token
        self.special_tokens_map = inner.special_tokens_map
        self.get_vocab = inner.get_vocab

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner(*args, **kwargs)


@pytest.fixture(scope="session")
def opt() -> Any:
    """OPT's real tokenizer."""
    from transformers import AutoTokenizer

    folder = SHARED / "tokenizers" / "opt"
    if not folder.exists():
        pytest.skip(f"{folder} is not here, which holds OPT's tokenizer")
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def demo() -> list[Row]:
    """999 rows in Alpaca's format, some of whose answers begin with a quote."""
    file = SHARED / "data" / "alpaca_en_demo.json"
    if not file.exists():
        pytest.skip(f"{file} is not here, which holds real rows")
    given = json.loads(file.read_text())
    return [Row(row["instruction"], row["input"], row["output"]) for row in given]


@pytest.fixture(scope="session")
def words() -> Any:
    """A tokenizer with a token a word, whose begin, end and padding are one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = {"</s>": 0, "<unk>": 1} | {word: place for place, word in enumerate(["a", "Name", "colour", "red"], 2)}
    backend = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="</s>")


def prepared(
    dataset: Dataset, tokenizer: Any, folder: Path, max_length: int = 512, request: str = "r", invocation: str = "1"
) -> TokenData:
    where = {"pointers": folder / "run" / "data", "cache": folder / "cache"}
    key = {"request": request, "invocation": invocation}
    return prepare(dataset, tokenizer, Alpaca.templates, max_length, **key, **where)


def papers(row: Row, tokenizer: Any, max_length: int) -> tuple[list[int], int]:
    """What Stanford Alpaca's train.py makes of a row: the ids of all of it, and the length of its prompt."""
    kind = "with_input" if row.input != "" else "without_input"
    source = Alpaca.templates[kind].format_map(row._asdict())
    limits = {"truncation": True, "max_length": max_length}
    whole = tokenizer(source + row.output + tokenizer.eos_token, **limits)["input_ids"]
    return whole, len(tokenizer(source, **limits)["input_ids"])


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


def test_words_and_tokens_leave_the_template_out(demo: list[Row], opt: Any, tmp_path: Path) -> None:
    data = prepared(Listed(demo), opt, tmp_path)
    assert data.words == sum(len(text.split()) for row in demo for text in row)
    apart = sum(len(opt(text, add_special_tokens=False)["input_ids"]) for row in demo for text in row if text)
    assert data.tokens == pytest.approx(apart, rel=0.003)
    short = prepared(Listed(demo), opt, tmp_path, max_length=96, request="short")
    assert short.tokens == data.tokens, "what was cut off is not counted"
    assert sum(len(short[place]["input_ids"]) for place in range(999)) < data.tokens


def test_an_order_repeats_rows(words: Any, tmp_path: Path) -> None:
    once = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    order = [1, 1, 0, 1]
    data = prepared(Listed(PLAIN_ROWS, np.array(order)), words, tmp_path, request="ordered")
    assert len(data) == data.rows == 4
    assert [data[place]["prompt"] for place in range(4)] == [once[row]["prompt"] for row in order]
    assert data[3]["input_ids"].tolist() == once[1]["input_ids"].tolist()
    assert data.words == 3 * 10 + 4
    with pytest.raises(IndexError):
        data[4]


def test_rows_are_asked_for_once_a_request_and_tokenized_once(words: Any, tmp_path: Path) -> None:
    dataset = Listed(PLAIN_ROWS)
    prepared(dataset, words, tmp_path)
    (manifest,) = tmp_path.glob("cache/*/manifest.json")
    written = manifest.stat().st_mtime_ns
    assert len(prepared(dataset, words, tmp_path)) == 3
    assert dataset.asked == 1
    prepared(dataset, words, tmp_path, invocation="a later run")
    assert dataset.asked == 2
    assert [file.stat().st_mtime_ns for file in tmp_path.glob("cache/*/manifest.json")] == [written]


def test_what_the_tokens_depend_on_is_told_apart(words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS), words, tmp_path)
    changed = [Row("Name a colour", "red", ""), *PLAIN_ROWS[1:]]
    prepared(Listed(changed), words, tmp_path, request="rows")
    prepared(Listed(PLAIN_ROWS), words, tmp_path, max_length=100, request="length")
    assert len(list(tmp_path.glob("cache/*/manifest.json"))) == 3


def test_ranks_that_ask_at_once_wait_for_the_first(words: Any, tmp_path: Path) -> None:
    dataset, found = Listed(PLAIN_ROWS), []
    ranks = [threading.Thread(target=lambda: found.append(prepared(dataset, words, tmp_path))) for _ in range(4)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert dataset.asked == 1
    assert [len(data) for data in found] == [3] * 4


def test_what_a_killed_process_left_is_replaced(words: Any, tmp_path: Path) -> None:
    prepared(Listed(PLAIN_ROWS), words, tmp_path)
    (manifest,) = tmp_path.glob("cache/*/manifest.json")
    manifest.unlink()
    (manifest.parent / "ids.npy").write_bytes(b"half of it")
    data = prepared(Listed(PLAIN_ROWS), words, tmp_path)
    assert data[0]["input_ids"].tolist() == papers(PLAIN_ROWS[0], words, 512)[0]


def test_no_rows_and_a_wrong_order_are_mistakes(words: Any, tmp_path: Path) -> None:
    with pytest.raises(BenchspecError, match="dataset 'listed' has no rows"):
        prepared(Listed([]), words, tmp_path)
    with pytest.raises(BenchspecError, match="names row 3 of 3"):
        prepared(Listed(PLAIN_ROWS, np.array([0, 3])), words, tmp_path)
    with pytest.raises(BenchspecError, match="names row -1 of 3"):
        prepared(Listed(PLAIN_ROWS, np.array([0, -1])), words, tmp_path)


def test_a_full_disk_is_one_line(words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RunError, match=r"^the token arrays cannot be written to .*: No space left on device$"):
        prepared(Listed(PLAIN_ROWS), words, tmp_path)
    monkeypatch.undo()
    assert len(prepared(Listed(PLAIN_ROWS), words, tmp_path)) == 3


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
        assert [ids for ids, _ in fast.encode(texts)] == [ids for ids, _ in plain.encode(texts)]
        assert [whole for _, whole in fast.encode(texts)] == [4, 1, 5]
    assert fast.eos == plain.eos
    assert len({FastEncoder(words).identity, plain.identity}) == 2


def test_tokenizers_that_end_a_sequence_differently_are_told_apart(words: Any) -> None:
    before = FastEncoder(words).identity
    words.eos_token = "<unk>"
    assert FastEncoder(words).identity != before


def test_more_rows_than_a_chunk_keep_their_places(words: Any, tmp_path: Path) -> None:
    many = [Row("a " * (place % 7), "", "red") for place in range(9001)]
    data = prepared(Listed(many), words, tmp_path)
    assert len(data) == 9001
    for place in (0, 4095, 4096, 8191, 8192, 9000):
        assert data[place]["input_ids"].tolist() == papers(many[place], words, 512)[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["just text"], "row 1 is no Row of three strings: 'just text'"),
        ([Row("a", "", "b"), Row("a", "", 3)], "row 2 is no Row of three strings"),  # type: ignore[arg-type]
        (7, "gave a int, where rows"),
        (iter([Row("a", "", "b")]), "where rows\\(\\) returns a sequence of Row"),
    ],
)
def test_a_dataset_that_gives_something_else_than_rows_is_named(rows: Any, message: str, words: Any, tmp_path: Path):
    with pytest.raises(BenchspecError, match=message):
        prepared(Listed(rows), words, tmp_path)
