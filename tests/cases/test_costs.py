"""What trainings cost by published times."""

from __future__ import annotations

import pytest

from benchspec import Fact, Facts
from benchspec.cases import costs
from benchspec.cases.plans import Plan


def statement(kind, published, *cases, per=None, metric="train_runtime"):
    found = [{"case": case, "at": at, "differences": differences} for case, at, differences in cases]
    return {
        "experiment": "one", "metric": metric, "kind": kind, "published": published, "per": per, "cases": found
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (statement("value", 900, ("a", None, [])), {("one", "a"): 900}),
        (statement("between", [900, 1080], ("a", None, [])), {("one", "a"): 990}),
        (statement("below", 600, ("a", None, [])), {("one", "a"): 600}),
        (
            statement("slope", 180, ("a", 20_000, []), ("b", 5000, []), per={"dataset.rows": 10_000}),
            {("one", "a"): 360, ("one", "b"): 90},
        ),
        (statement("ordering", ["a", "b"], ("a", "a", [])), {}),
        (statement("value", 900, ("a", None, [{"field": "train.epochs"}])), {}),
        (statement("value", 52_002, ("a", None, []), metric="dataset_rows"), {}),
    ],
)
def test_times_are_those_that_were_published_for_the_very_settings(said, seconds):
    assert costs.published_seconds([said]) == seconds


def test_the_first_of_several_counts():
    two = [statement("value", 900, ("a", None, [])), statement("value", 10, ("a", None, []))]
    assert costs.published_seconds(two) == {("one", "a"): 900}


FIELDS = "launcher: {name: torchrun, processes: 2}\ntrain: {max_steps: 600}\n"


def told(cases, fields, steps=600, left=1, facts=None):
    (case,) = cases(fields)
    plan = Plan(case, {"processes": 2, "steps": steps}, None, left)
    return costs.text([plan], {case.key: 36_000.0}, facts)


def test_a_whole_training_costs_its_processes_for_its_time(cases):
    assert told(cases, FIELDS) == (
        "By published times, the trainings of all cases take 10 h one after another, 20 process hours."
    )


@pytest.mark.parametrize(
    ("currency", "said"), [("USD", "985 USD at 98.5 USD an hour (an offer)"), (None, "985 at 98.5 an hour (an offer)")]
)
def test_a_machine_with_a_price_says_what_that_costs(cases, currency, said):
    facts = Facts(accelerator="A", accelerators=2, price_per_hour=Fact(98.5, "an offer"), currency=currency)
    assert told(cases, FIELDS, facts=facts).endswith(f"20 process hours, {said}.")
    without = Facts(accelerator="A", accelerators=2)
    assert told(cases, FIELDS, facts=without).endswith("20 process hours.")


@pytest.mark.parametrize(("steps", "least"), [(600, "1"), (20, "20"), (None, "0")])
def test_a_sampled_one_costs_what_runs_before_the_first_look_at_least(cases, steps, least):
    said = told(cases, FIELDS + "measure: {mode: sampled}\n", steps)
    assert said.endswith(f"20 process hours if every step runs; sampled, at least {least}.")


def test_without_published_times_nothing_is_said(cases):
    (case,) = cases(FIELDS)
    assert costs.text([Plan(case, {"processes": 2, "steps": 600}, None, 1)], {}) == ""


@pytest.mark.parametrize(("left", "hours"), [(3, "60 process hours"), (0, "")])
def test_launches_that_are_left_cost(cases, left, hours):
    assert hours in (said := told(cases, FIELDS, left=left)) and bool(said) == bool(left)
