"""The verdicts of specs/xe9680.yaml on results that are made up: no machine measured any number here."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchspec import load, plan
from benchspec.cases.shared import shared
from benchspec.cases.statements import statements
from benchspec.reports import build_report
from benchspec.results import Result, Results

SPEC = Path(__file__).parents[1] / "specs/xe9680.yaml"
#: minutes of training by model, as the paper has them where it gives a number
MINUTES = {"opt-125m": 3, "opt-350m": 4, "opt-1.3b": 6, "opt-2.7b": 9, "opt-6.7b": 15, "opt-13b": 42}
ALPACA = {"dataset_rows": 52002, "dataset_words": 3025587, "dataset_tokens": 3986889}


@pytest.fixture(scope="module")
def asked():
    """The spec's statements and cases, planned as on the paper's machine."""
    spec = load(SPEC, ["hardware=xe9680-h100"])
    cases = plan(spec)
    return cases, {"statements": statements(spec.references, cases), "shared": shared(cases), "hardware": "xe9680-h100"}


def made_up(asked, change=lambda case, metrics: None, **run):
    """Results as the paper's, but for what `change` does to the metrics of a case, or an outcome that it returns."""
    cases, known = asked
    found = []
    for case in cases:
        metrics = usual(case)
        outcome = change(case, metrics) or ("oom" if case.model["name"] == "opt-30b" else "ok")
        if outcome != "not run":
            found.append(as_result(case, outcome, metrics))
    return Results(found, {"name": "xe9680", "cases": [[case.experiment, case.id] for case in cases], **known, **run})


def usual(case):
    rows = case.dataset.get("rows")
    if rows:
        tokens = {"dataset_tokens": 766798807} if rows == 10_000_000 else {}
        return {"train_runtime": 180.0 * rows / 10_000 + 5, "dataset_rows": rows, **tokens}
    minutes = {**MINUTES, "bloom-7b1": 16.5, "gpt-j-6b": 16}.get(case.model["name"], 0)
    return {"train_runtime": 60.0 * minutes, **ALPACA}


def as_result(case, outcome, metrics):
    ending = {} if outcome == "ok" else {"phase": "train", "rank": 0, "reason": f"a made-up {outcome}"}
    usual = {"case": case.id, "attempt": "1", "experiment": case.experiment, "axes": case.axes, "outcome": outcome}
    return Result(**usual, **ending, metrics=metrics, started=1.0, finished=2.0)


def of_paper(results):
    """The verdicts on what the paper itself published."""
    return [each for each in results.verdicts if each["source"].startswith("Fauber")]


def counted(verdicts):
    return {name: sum(each["verdict"] == name for each in verdicts) for name in {each["verdict"] for each in verdicts}}


def test_the_papers_own_numbers_reproduce_every_figure(asked):
    results = made_up(asked)
    assert counted(of_paper(results)) == {"reproduced": len(of_paper(results))}
    kinds = {(each["experiment"], each["kind"]) for each in of_paper(results)}
    assert {("models", "between"), ("rows", "slope"), ("rows", "linear"), ("scale", "slope")} <= kinds
    assert {("sizes", kind) for kind in ("below", "value", "outcome", "ordering")} <= kinds
    # The other publications are of other machines.
    others = [each for each in results.verdicts if each not in of_paper(results)]
    assert {each["verdict"] for each in others} == {"other machine"}
    assert build_report(results).headline.startswith(f"{len(of_paper(results))} of {len(of_paper(results))} published")


def test_a_faster_machine_is_better_and_a_slower_one_worse(asked):
    def faster(case, metrics):
        metrics["train_runtime"] /= 2

    def slower(case, metrics):
        metrics["train_runtime"] *= 3

    assert counted(of_paper(made_up(asked, faster)))["better"] > 5
    assert "worse" not in counted(of_paper(made_up(asked, faster)))
    # 125M and 350M still take less than ten minutes.
    assert counted(of_paper(made_up(asked, slower)))["worse"] >= 9


def test_a_size_that_fits_where_the_paper_ran_out_of_memory_differs(asked):
    fits = made_up(asked, lambda case, metrics: "ok" if case.model["name"] == "opt-30b" else None)
    (outcome,) = [each for each in of_paper(fits) if each["kind"] == "outcome"]
    assert (outcome["verdict"], outcome["words"]) == ("differs", "ok, not oom")


def test_what_did_not_run_is_said_and_counts_neither_way(asked):
    results = made_up(asked, lambda case, metrics: "not run" if case.experiment != "models" else None)
    found = counted(of_paper(results))
    assert found["reproduced"] > 5 and found["not run"] > 15 and set(found) == {"reproduced", "not run"}


def test_another_machine_is_judged_by_counts_orders_lines_and_outcomes_alone(asked):
    found = made_up(asked, hardware="h200").verdicts
    judged = {each["kind"] for each in found if each["verdict"] == "reproduced" and each["metric"] == "train_runtime"}
    assert judged == {"ordering", "linear"}
    assert {each["verdict"] for each in found} == {"reproduced", "other machine"}


def test_a_few_steps_on_a_cpu_are_not_comparable():
    spec = load(SPEC, ["defaults.train.max_steps=4", "defaults.launcher.processes=1"])
    cases = plan(spec)
    known = {"statements": statements(spec.references, cases), "hardware": "no accelerator"}
    results = made_up((cases, known))
    times = [each for each in of_paper(results) if each["metric"] in ("train_runtime", None)]
    assert {each["verdict"] for each in times} == {"not comparable"}
    assert "train.max_steps: 4, published without" in times[0]["words"]
    assert "launcher.processes: 1, published with 8" in times[0]["words"]
