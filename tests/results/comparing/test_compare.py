"""Two runs -> verdicts."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("scipy")

from compared_runs import CASE, RECORD, add, run_dir

from benchspec.results import Results
from benchspec.results.comparing.compare import WITHIN_A_RUN, compare
from benchspec.terms.errors import BenchspecError

STEADY = [100.0, 100.4, 99.7, 100.1, 99.9]


def slower(share, rates=STEADY):
    return [rate * (1 - share) for rate in rates]


def compared(tmp_path, base, head, **fields):
    return compare(run_dir(tmp_path / "b", base), run_dir(tmp_path / "h", head, **fields))


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (STEADY[::-1], "same"),
        (slower(0.005), "same"),
        (slower(0.05), "worse"),
        (slower(-0.05), "better"),
        (slower(0.02), "undecided"),
        ([80.0, 120.0, 100.0], "undecided"),
        ([100.0], "undecided"),
    ],
)
def test_what_launches_say(tmp_path, head, verdict):
    found = compared(tmp_path, STEADY, head)
    (pair,) = found.pairs
    assert (pair.verdict, found.verdict, pair.launches) == (verdict, verdict, (5, len(head)))


def test_a_pair_has_the_ratio_of_head_to_base_with_its_interval(tmp_path):
    (pair,) = compared(tmp_path, STEADY, slower(0.05)).pairs
    low, high = pair.interval
    assert pair.ratio == pytest.approx(0.95) and low < 0.95 < high < 0.96
    assert pair.means[1] / pair.means[0] == pytest.approx(pair.ratio)
    assert pair.means[0] == pytest.approx(100.0, rel=1e-3)


def test_too_few_launches_say_how_many_it_would_take(tmp_path):
    (pair,) = compared(tmp_path, [100.0, 103.0, 97.0], [101.0, 98.0, 100.5]).pairs
    (reason,) = pair.reasons
    assert pair.verdict == "undecided" and "it would take at least " in reason
    (single,) = compare(run_dir(tmp_path / "1", [1.0]), run_dir(tmp_path / "2", [1.0])).pairs
    assert "set repeats" in single.reasons[0]


def test_a_case_that_fails_is_worse_and_one_that_works_again_better(tmp_path):
    runs = [run_dir(tmp_path / str(number), [rate, rate]) for number, rate in enumerate([100.0, None])]
    (pair,) = compare(*runs).pairs
    assert (pair.verdict, pair.ratio) == ("worse", None)
    assert pair.reasons == ["not ok in head: 2 of 2 launches crash in train on rank 0: ValueError: no"]
    assert compare(*runs[::-1]).verdict == "better"
    assert compare(runs[1], runs[1]).verdict == "not comparable"


def test_what_is_not_equal_is_not_compared(tmp_path):
    other = {**CASE, "train": {**CASE["train"], "batch_size": 8}}
    base, head = run_dir(tmp_path / "b", STEADY), run_dir(tmp_path / "h", slower(0.5), case=other)
    (pair,) = compare(base, head).pairs
    said = ["train.batch_size: 4 in base, 8 in head"]
    assert (pair.verdict, pair.ratio, pair.reasons) == ("not comparable", None, said)
    for each in (base, head):
        each.run["spec"] = {}
    (pair,) = compare(base, head).pairs
    assert pair.reasons == [*said, WITHIN_A_RUN]


def test_what_does_not_learn_the_same_is_not_compared(tmp_path):
    found = compared(tmp_path, STEADY, slower(0.5), losses=(5.0, 6.0))
    assert found.verdict == "not comparable" and "part at step 2" in found.pairs[0].reasons[0]


def test_cases_are_paired_by_experiment_and_axes(tmp_path):
    base = run_dir(tmp_path / "b", STEADY)
    run_dir(tmp_path / "h", STEADY, name="opt-tiny-another")
    add(tmp_path / "h", 1, 50.0, name="new", axes={"model": "bloom-tiny"})
    pairs = compare(base, Results.load(tmp_path / "h")).pairs
    assert [(pair.axes, pair.verdict) for pair in pairs] == [
        ({"model": "opt-tiny"}, "same"),
        ({"model": "bloom-tiny"}, "not comparable"),
    ]
    assert pairs[1].reasons == ["only in head"] and pairs[1].launches == (0, 1)


def test_the_whole_verdict_is_the_worst_and_no_comparison_counts_least(tmp_path):
    run_dir(tmp_path / "b", STEADY)
    run_dir(tmp_path / "h", STEADY)
    for folder, rates in (("b", STEADY), ("h", slower(0.1))):
        for launch, rate in enumerate(rates, start=1):
            add(tmp_path / folder, launch, rate, name="slow", axes={"model": "bloom-tiny"})
    add(tmp_path / "b", 1, 1.0, name="gone", axes={"model": "opt-125m"})
    found = compare(Results.load(tmp_path / "b"), Results.load(tmp_path / "h"))
    assert [pair.verdict for pair in found.pairs] == ["same", "worse", "not comparable"]
    assert found.verdict == "worse"


def test_a_metric_that_is_missing_or_zero_is_not_compared(tmp_path):
    runs = run_dir(tmp_path / "b", STEADY), run_dir(tmp_path / "h", STEADY)
    assert compare(*runs, metric="mfu").pairs[0].reasons == ["base has no mfu"]
    zero = run_dir(tmp_path / "z", [1.0], metrics={"energy": 0.0})
    assert "to which nothing has a ratio" in compare(zero, zero, metric="energy").pairs[0].reasons[0]


def test_a_run_without_results_says_so(tmp_path):
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(BenchspecError, match=r"has no results; `benchspec run SPEC --out .*` makes some"):
        compare(run_dir(tmp_path / "b", STEADY), Results.load(tmp_path))


def test_a_named_pipe_in_place_of_a_case_is_not_waited_for(tmp_path):
    base, head = run_dir(tmp_path / "base", [10.0]), run_dir(tmp_path / "head", [10.0])
    (case,) = (tmp_path / "head").rglob("case.json")
    case.unlink()
    os.mkfifo(case)
    # Were it opened, the test would stand still.
    (pair,) = compare(base, head).pairs
    assert pair.reasons == ["head has no case.json of a launch, so its settings are not known"]


def test_a_rank_without_steps_is_no_sign_that_both_learn_the_same(tmp_path):
    base, head = run_dir(tmp_path / "base", [10.0]), run_dir(tmp_path / "head", [10.0], losses=())
    (pair,) = compare(base, head).pairs
    reason = "head has no steps in rank-0.jsonl of a launch, so whether both learn the same is not known"
    assert (pair.verdict, pair.reasons) == ("not comparable", [reason])


def test_cases_of_a_script_that_nothing_but_their_settings_tells_apart_are_paired_by_id(tmp_path):
    for name, rates in (("base", {"a-1": 100.0, "b-2": 50.0}), ("head", {"b-2": 50.0, "c-3": 10.0})):
        for number, (case, rate) in enumerate(rates.items(), start=1):
            (tmp_path / name).mkdir(exist_ok=True)
            add(tmp_path / name, number, rate, name=case)
    pairs = compare(Results.load(tmp_path / "base"), Results.load(tmp_path / "head")).pairs
    assert [(pair.verdict, pair.launches) for pair in pairs] == [
        ("not comparable", (1, 0)),
        ("undecided", (1, 1)),
        ("not comparable", (0, 1)),
    ]


def test_a_launch_that_ran_out_of_memory_beside_another_says_nothing(tmp_path):
    base = run_dir(tmp_path / "base", [100.0, 101.0])
    run_dir(tmp_path / "head", [100.0, 101.0])
    ending = {"outcome": "oom", "phase": "train", "rank": 0, "reason": "out of memory"}
    others = [{"gpu": "NVIDIA H100", "uuid": "GPU-1", "memory": 40 << 30, "processes": [1]}]
    add(tmp_path / "head", 3, None, record={**RECORD, "others": others}, **ending)
    (pair,) = compare(base, Results.load(tmp_path / "head")).pairs
    assert pair.launches == (2, 2)
    assert pair.verdict != "worse"
