"""What each step of a training computes, known before it runs."""

from types import SimpleNamespace

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import TRAIN, DrivenJob, as_data, backend_class, create, make_rows, small_tokenizer

from benchspec_plugins.recipes import as_trainer
from benchspec_plugins.recipes.alpaca import Alpaca
from benchspec_plugins.recipes.loop import Loop
from benchspec_plugins.recipes.packed import Packed, step_rows


def job(rank, world, rows, **train):
    case = SimpleNamespace(train={**TRAIN, **train})
    backend = create(backend_class("single"), {})
    return DrivenJob(case, None, small_tokenizer(), as_data(make_rows(rows)), backend, None, rank=rank, world=world)


def lengths(rows):
    return np.array([len(row["input_ids"]) for row in as_data(make_rows(rows))])


CASES = [
    (1, {"epochs": 2, "batch_size": 2, "gradient_accumulation": 3}),
    (2, {"epochs": 2, "batch_size": 2, "gradient_accumulation": 2}),
    (3, {"epochs": 1.5, "batch_size": 4, "gradient_accumulation": 1}),
    (1, {"max_steps": 5, "batch_size": 4, "gradient_accumulation": 1}),
    (2, {"max_steps": 9, "batch_size": 8, "gradient_accumulation": 2}),
]


@pytest.mark.parametrize(("world", "train"), CASES)
@pytest.mark.parametrize("recipe", [Alpaca, Loop])
def test_padded_rows_are_counted_as_the_slowest_rank_computes_them(recipe, world, train):
    jobs = [job(rank, world, 21, **train) for rank in range(world)]
    steps = as_trainer.count_steps(21, jobs[0].case.train, world)
    real = [
        max(as_trainer.count_batches(batches)[2] for batches in ranks)
        for ranks, _ in zip(zip(*map(as_trainer.step_batches, jobs), strict=False), range(steps), strict=False)
    ]
    assert list(recipe({}).workload(lengths(21), jobs[0].case.train, world)) == real


@pytest.mark.parametrize(("world", "train"), CASES)
def test_packed_rows_are_counted_without_padding(world, train):
    known, train = lengths(21), {**TRAIN, **train}
    steps = as_trainer.count_steps(21, train, world)
    real = [known[rows].sum() / world for rows, _ in zip(step_rows(21, train, world), range(steps), strict=False)]
    assert list(Packed({"tokens": 8192}).workload(known, train, world)) == real
