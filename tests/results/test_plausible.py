"""Whether reported steps can be."""

from __future__ import annotations

import pytest

from benchspec.results.plausible import contradiction
from benchspec.results.steps import combined

TRAIN = {"batch_size": 4, "gradient_accumulation": 8, "max_length": 512, "max_steps": None}


def step(number, rows=32, tokens=3000):
    counts = {"rows": rows, "tokens": tokens, "padded_tokens": tokens, "loss_tokens": 10, "loss": 1.0, "grad_norm": 0.5}
    return {"event": "step", "time": 10.0 + number, "step": number, **counts}


def start(rank, world):
    return {"event": "start", "time": 0.0, "rank": rank, "world": world, "pid": 1}


def data(planned):
    return {"event": "data", "time": 1.0, "rows": 64, "words": 640, "tokens": 800, "planned_steps": planned}


def said(*ranks, **train):
    return _said(dict(enumerate(ranks)), {**TRAIN, **train}, "mine")


def _said(ranks, train, recipe):
    return contradiction(ranks, combined(ranks), train, recipe)


def test_steps_as_planned_are_right():
    assert said([start(0, 1), data(2), step(1), step(2, rows=3)]) is None


def test_a_case_without_steps_or_a_plan_has_nothing_to_contradict():
    assert said([start(0, 1)]) is None
    assert said() is None


def test_a_step_has_at_most_the_planned_rows():
    assert said([start(0, 1), step(1), step(2, rows=1_000_000)]) == (
        "the recipe 'mine' reports 1,000,000 rows in step 2, but a step has at most 32 "
        "(train.batch_size 4 × train.gradient_accumulation 8 × ranks 1)"
    )


def test_rows_may_be_spread_unevenly_over_ranks():
    assert said([start(0, 2), step(1, rows=60)], [start(1, 2), step(1, rows=4)]) is None
    assert "65 rows in step 1" in said([start(0, 2), step(1, rows=60)], [start(1, 2), step(1, rows=5)])


def test_a_step_has_at_most_as_many_tokens_as_fit_its_rows():
    assert said([start(0, 1), step(1, tokens=32 * 512)]) is None
    assert said([start(0, 1), step(1, tokens=32 * 512 + 1)]) == (
        "the recipe 'mine' reports 16,385 tokens in step 1, but a step has at most 16,384 "
        "(train.batch_size 4 × train.gradient_accumulation 8 × ranks 1 × train.max_length 512)"
    )


@pytest.mark.parametrize(("planned", "ran"), [(2, "5 steps, but its plan is 2 steps"), (6, "5 steps, but its plan is")])
def test_steps_are_as_many_as_planned(planned, ran):
    assert ran in said([start(0, 1), data(planned), *map(step, range(1, 6))])


def test_steps_of_a_recipe_without_a_plan_are_no_more_than_the_case_says():
    ran = [start(0, 1), data(None), *map(step, range(1, 6))]
    assert said(ran, max_steps=2) == "the recipe 'mine' reports 5 steps, but train.max_steps is 2"
    assert said(ran, max_steps=7) is None
    assert said(ran) is None


def test_ranks_take_the_same_steps():
    ranks = [start(0, 2), step(1), step(2)], [start(1, 2), step(1)]
    assert said(*ranks) == "the recipe 'mine' reports 1 step on rank 1 and 2 steps on rank 0"


def test_ranks_must_have_the_same_rows():
    def rank(fingerprint):
        return [{"event": "data", "time": 0.0, "planned_steps": None, "fingerprint": fingerprint}]

    train = {"batch_size": 1, "gradient_accumulation": 1, "max_length": 8, "max_steps": None}
    assert (
        _said({0: rank("a"), 1: rank("b")}, train, "alpaca")
        == "the ranks had 2 different data sets; they must all have the same rows"
    )
    assert _said({0: rank("a"), 1: rank("a")}, train, "alpaca") is None
