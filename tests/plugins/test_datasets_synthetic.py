"""The data set `synthetic`: Alpaca's published statistics, and the same rows everywhere."""

import hashlib
import json
from functools import cache
from pathlib import Path
from statistics import fmean, median

import pytest

from benchspec_plugins.datasets.synthetic import Synthetic

TOKENIZER = Path(__file__).resolve().parents[2].parent / "shared" / "tokenizers" / "opt"
#: Fauber and Patel 2023
WORDS = 58.2
TOKENS = 76.7


@cache
def synthetic(rows, seed=42):
    return Synthetic({"rows": rows, "seed": seed}).rows()


def words(row):
    return sum(len(text.split()) for text in row)


def mean_tokens(texts, rows):
    """Tokens per row, without template and special tokens."""
    if not TOKENIZER.exists():
        pytest.skip(f"{TOKENIZER} is not here: OPT's tokenizer is not part of the repository")
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install -e '.[train]'")
    tokenizer = transformers.AutoTokenizer.from_pretrained(TOKENIZER)
    return sum(map(len, tokenizer(texts, add_special_tokens=False).input_ids)) / len(rows)


def apart(rows):
    return [text for row in rows for text in row if text]


def together(rows):
    return ["\n".join(filter(None, row)) for row in rows]


def test_words_per_row_are_the_papers():
    assert fmean(map(words, synthetic(52_002))) == pytest.approx(WORDS, rel=0.01)


@pytest.mark.parametrize("seed", range(8))
def test_words_of_a_small_sample_too(seed):
    assert fmean(map(words, synthetic(1000, seed))) == pytest.approx(WORDS, rel=0.02)


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("joined", [apart, together])
def test_tokens_per_row_are_the_papers(seed, joined):
    rows = synthetic(1000, seed)
    assert mean_tokens(joined(rows), rows) == pytest.approx(TOKENS, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("joined", [apart, together])
def test_tokens_per_row_are_the_papers_at_full_size(joined):
    rows = synthetic(52_002)
    assert mean_tokens(joined(rows), rows) == pytest.approx(TOKENS, rel=0.02)


def test_lengths_are_distributed_like_alpacas():
    rows = synthetic(10_000)
    outputs = [len(row.output.split()) for row in rows]
    assert min(outputs) == 1
    assert 250 < max(outputs) <= 300
    assert median(outputs) < 0.85 * fmean(outputs)
    assert fmean(len(row.instruction.split()) for row in rows) == pytest.approx(10, abs=0.5)
    assert fmean(bool(row.input) for row in rows) == pytest.approx(0.41, abs=0.01)


def test_some_answers_begin_with_a_quote_and_some_are_lists():
    rows = synthetic(10_000)
    assert fmean(row.output.startswith('"') for row in rows) == pytest.approx(0.06, abs=0.01)
    assert fmean(row.output.startswith("1. ") and "\n2. " in row.output for row in rows) > 0.05


def test_rows_are_distinct_and_each_has_a_task_and_an_answer():
    rows = synthetic(52_002)
    assert len(set(rows)) > 0.99 * len(rows)
    assert all(row.instruction and row.output for row in rows)


def test_a_row_has_one_topic():
    """What a model can learn: a noun of the task is far likelier in its own answer than in another row's."""
    rows = [row for row in synthetic(5000) if len(row.output.split()) > 30]
    asked = [set(row.instruction.lower().rstrip(".?").split()) for row in rows]
    answered = [set(row.output.lower().replace(".", "").replace(",", "").split()) for row in rows]
    own = fmean(len(task & answer) for task, answer in zip(asked, answered, strict=True))
    others = fmean(len(task & answer) for task, answer in zip(asked, answered[1:] + answered[:1], strict=True))
    assert own > others + 0.4


def test_a_smaller_data_set_is_the_beginning_of_a_larger_one():
    assert synthetic(137) == synthetic(1000)[:137]


def test_another_seed_makes_other_rows():
    assert not set(synthetic(1000, 42)) & set(synthetic(1000, 43))


def test_the_same_rows_on_every_platform():
    """A change of the text makes results incomparable with earlier ones: it must be intended and noted in the log."""
    text = json.dumps(synthetic(1000)).encode()
    assert hashlib.sha256(text).hexdigest()[:16] == "d1c0d9a72aef3a67"


def test_rows_are_generated_once():
    data = Synthetic({"rows": 10, "seed": 1})
    assert data.rows() is data.rows()
    assert data.order() is None


def test_its_size_is_known_without_making_a_row(monkeypatch):
    assert Synthetic({"rows": 300, "seed": 42}).size() == len(synthetic(300)) == 300
    monkeypatch.setattr(Synthetic, "_rows", property(lambda self: pytest.fail("rows are made")))
    assert Synthetic({"rows": 52_002, "seed": 42}).size() == 52_002
