"""What the tests of token data share: a dataset that counts its calls, small tokenizers, and the paper's own script."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchspec.kinds.bases import Dataset
from benchspec.kinds.values import Row
from benchspec.worker.data.batches import TokenData
from benchspec.worker.data.encode import encoder_for
from benchspec.worker.data.prepare import Request, prepare
from benchspec_plugins.recipes.alpaca import Alpaca

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
PLAIN_ROWS = [
    Row("Name a colour", "", "red"),
    Row("Add the numbers", "2 and 3", "the sum is 5"),
    Row("Say nothing", "", ""),
]


class Listed(Dataset):
    """Rows that are there, and how often they were asked for."""

    name = "listed"

    def __init__(self, rows: Sequence[Row], order: Any = None, identity: Any = None):
        super().__init__({})
        self._rows, self._order, self._identity = rows, order, identity
        self.asked = 0

    def rows(self) -> Sequence[Row]:
        self.asked += 1
        return self._rows

    def order(self) -> Any:
        return self._order

    def identity(self) -> Any:
        return self._identity


class Unwrapped:
    """A tokenizer as those without a Rust backend are."""

    def __init__(self, inner: Any):
        self.inner = inner
        self.eos_token = inner.eos_token
        self.special_tokens_map = inner.special_tokens_map
        self.get_vocab = inner.get_vocab

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner(*args, **kwargs)


def opt_tokenizer() -> Any:
    """OPT's real tokenizer."""
    from transformers import AutoTokenizer

    folder = SHARED / "tokenizers" / "opt"
    if not folder.exists():
        pytest.skip(f"{folder} is not here, which holds OPT's tokenizer")
    return AutoTokenizer.from_pretrained(folder)


def alpaca_rows() -> list[Row]:
    """999 rows in Alpaca's format, some of whose answers begin with a quote."""
    file = SHARED / "data" / "alpaca_en_demo.json"
    if not file.exists():
        pytest.skip(f"{file} is not here, which holds real rows")
    given = json.loads(file.read_text())
    return [Row(row["instruction"], row["input"], row["output"]) for row in given]


def word_tokenizer() -> Any:
    """A tokenizer with a token a word, whose begin, end and padding are one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = {"</s>": 0, "<unk>": 1} | {word: place for place, word in enumerate(["a", "Name", "colour", "red"], 2)}
    backend = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="</s>")


def prepared(
    dataset: Dataset,
    tokenizer: Any,
    folder: Path,
    max_length: int = 512,
    settings: Mapping[str, Any] = {"name": "listed"},
    invocation: str = "1",
) -> TokenData:
    """The dataset's tokens, in a run that keeps its pointers and its cache in the folder."""
    request = Request(
        dataset=dataset,
        settings=settings,
        encoder=encoder_for(tokenizer),
        templates=Alpaca.templates,
        max_length=max_length,
    )
    return prepare(request, invocation=invocation, pointers=folder / "run" / "data", cache=folder / "cache")


def papers(row: Row, tokenizer: Any, max_length: int) -> tuple[list[int], int]:
    """What Stanford Alpaca's train.py makes of a row: the ids of all of it, and the length of its prompt."""
    kind = "with_input" if row.input != "" else "without_input"
    source = Alpaca.templates[kind].format_map(row._asdict())
    limits = {"truncation": True, "max_length": max_length}
    whole = tokenizer(source + row.output + tokenizer.eos_token, **limits)["input_ids"]
    return whole, len(tokenizer(source, **limits)["input_ids"])
