"""The recipe `trl`, a distribution of its own: it learns what `alpaca` learns, and counts what it is given."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl", reason="TRL is not installed: pip install -e plugins/benchspec-trl")
pytest.importorskip("benchspec_trl")

from benchspec_trl import TRL, count_joined
from drive_backend import FAMILIES, create, make_rows, small_tokenizer, tiny
from driving import ALPACA, column, distance, drive

ROWS = make_rows(24)


def training(folder, family, **changes):
    usual = {"recipe": "benchspec_trl", "backend": {"name": "single"}, "rows": ROWS, "weights": "pretrained"}
    return {**usual, "model": str(folder / family), "train": {}, "folder": str(folder / "out"), **changes}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    for family in FAMILIES:
        tiny(family).save_pretrained(folder / family)
        small_tokenizer().save_pretrained(folder / family)
    return folder


@pytest.mark.slow
def test_padded_batches_learn_what_alpaca_learns_and_the_others_count_their_rows(checkpoints, tmp_path):
    kinds = ("padded", "padding-free", "packed")
    plan = [
        each
        for family in FAMILIES
        for each in (
            training(checkpoints, family, recipe=ALPACA),
            *(training(checkpoints, family, options={"batches": kind}) for kind in kinds),
        )
    ]
    (found,) = drive(plan, tmp_path, processes=1)
    tokens = sum(map(len, ROWS))
    for alpaca, padded, free, packed in zip(*(iter(found),) * 4, strict=True):
        assert distance(padded, alpaca) < 1e-6
        for name in ("rows", "tokens", "padded", "loss_tokens"):
            assert column(padded, name) == column(alpaca, name)
        for name in ("rows", "tokens", "loss_tokens"):
            assert column(free, name) == column(alpaca, name)
        assert column(free, "padded") == column(free, "tokens")
        assert len(packed["steps"]) < len(alpaca["steps"])
        assert (sum(column(packed, "rows")), sum(column(packed, "tokens"))) == (len(ROWS), tokens)


def test_rows_of_a_joined_sequence_begin_at_position_0():
    inputs = {
        "position_ids": torch.tensor([[0, 1, 2, 0, 1]]),
        "labels": torch.tensor([[-100, 5, 6, -100, 7]]),
    }
    assert [int(each) for each in count_joined(inputs)] == [2, 5, 5, 3]


def test_steps_are_known_unless_rows_are_packed():
    train = {"batch_size": 4, "gradient_accumulation": 8, "epochs": 3, "max_steps": None}
    assert create(TRL, {"batches": "padded"}).steps(52_002, train, 8) == 612
    packed = create(TRL, {"batches": "packed"})
    assert (packed.steps(52_002, train, 8), packed.rows_vary) == (None, True)
