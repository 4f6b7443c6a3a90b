"""Which cases are run: those without a final result, of those that `--only` selects."""

from pathlib import Path

import pytest
from example_results import result

from benchspec import run
from benchspec.cases.case import Launch
from benchspec.results.journal import read_journal
from benchspec.running.agenda import unfinished
from benchspec.terms.errors import NothingSelected


def outcomes(found):
    return [(each.axes["launcher.end"], each.outcome, each.attempt) for each in found]


def test_outcomes_that_would_not_change_are_not_run_again(scripted):
    run(scripted("crash", "oom", "ok"))
    assert outcomes(run(scripted("crash", "oom", "ok"))) == [
        ("crash", "crash", "2"),
        ("oom", "oom", "1"),
        ("ok", "ok", "1"),
    ]


def test_a_case_that_was_added_is_run_and_the_others_are_not(scripted):
    run(scripted("ok"))
    assert outcomes(run(scripted("ok", "oom"))) == [("ok", "ok", "1"), ("oom", "oom", "1")]
    assert len(read_journal("runs/demo")) == 2


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["oom"], ["oom"]),
        (["oom", "crash"], ["oom", "crash"]),
        (["ends/*end-ok*"], ["ok"]),
        (["ends"], ["ok", "oom", "crash"]),
        (["end?"], ["ok", "oom", "crash"]),
    ],
)
def test_only_selects_by_a_part_or_a_glob(scripted, patterns, chosen):
    assert [each.outcome for each in run(scripted("ok", "oom", "crash"), only=patterns)] == chosen


def test_only_that_selects_nothing_names_what_there_is(scripted):
    with pytest.raises(NothingSelected, match=r"--only opt-30b selects no case \(ends/opt-tiny-end-ok-"):
        run(scripted("ok"), only=["opt-30b"])
    assert not Path("runs").exists()


def test_an_empty_pattern_selects_nothing(scripted):
    with pytest.raises(NothingSelected, match="--only '' selects no case: a pattern is a part of"):
        run(scripted("ok"), only=["ok", ""])


def test_the_latest_result_of_a_case_is_what_counts(cases):
    (case,) = cases("title: x")
    ok, crash = (result(case=case.id, experiment="one", outcome=outcome) for outcome in ("ok", "crash"))
    assert unfinished([case], []) == [Launch(case, 1)]
    assert unfinished([case], [crash, ok]) == []
    assert unfinished([case], [ok, crash]) == [Launch(case, 1)]


def test_running_out_of_memory_beside_others_is_not_final(cases):
    (case,) = cases("title: x")
    others = [{"gpu": "NVIDIA H100", "uuid": None, "memory": 2**35, "processes": [4711]}]
    oom = result(case=case.id, experiment="one", outcome="oom", record={"others": others})
    assert unfinished([case], [oom]) == [Launch(case, 1)]
    assert unfinished([case], [result(case=case.id, experiment="one", record={"others": others})]) == []


def test_a_result_of_another_experiment_does_not_count(cases):
    (case,) = cases("title: x")
    assert unfinished([case], [result(case=case.id, experiment="two", outcome="ok")]) == [Launch(case, 1)]


@pytest.mark.parametrize(
    ("outcome", "again"),
    [("ok", False), ("oom", False), ("host-oom", False), ("crash", True), ("hang", True), ("timeout", True)],
)
def test_final_outcomes_are_not_run_again(cases, outcome, again):
    (case,) = cases("title: x")
    assert bool(unfinished([case], [result(case=case.id, experiment="one", outcome=outcome)])) is again


def numbers(launches):
    return [(launch.case.axes["train.seed"], launch.number) for launch in launches]


def test_the_launches_of_cases_take_turns(cases):
    found = cases("repeats: 3\nmatrix: {train.seed: [1, 2]}")
    assert numbers(unfinished(found, [])) == [(1, 1), (2, 1), (2, 2), (1, 2), (1, 3), (2, 3)]


def test_each_launch_without_a_result_is_run(cases):
    one, two = cases("repeats: 2\nmatrix: {train.seed: [1, 2]}")
    journal = [
        result(case=one.id, experiment="one", launch=2),
        result(case=two.id, experiment="one", launch=1, outcome="crash"),
        result(case=two.id, experiment="one", launch=2),
    ]
    assert numbers(unfinished([one, two], journal)) == [(1, 1), (2, 1)]


def test_launches_are_run_in_turns_and_each_has_a_result(scripted):
    found = run(scripted("ok", "oom", more="    repeats: 2\n"))
    assert [(each.axes["launcher.end"], each.launch) for each in found] == [
        ("ok", 1),
        ("ok", 2),
        ("oom", 1),
        ("oom", 2),
    ]
    order = [(each.axes["launcher.end"], each.launch) for each in read_journal("runs/demo")]
    assert order == [("ok", 1), ("oom", 1), ("oom", 2), ("ok", 2)]


def test_more_repeats_add_launches_to_those_there_are(scripted):
    run(scripted("ok"))
    found = run(scripted("ok", sets=["defaults.repeats=3"]))
    assert [(each.launch, each.attempt) for each in found] == [(1, "1"), (2, "2"), (3, "3")]
    # Fewer take none away.
    assert len(run(scripted("ok"))) == 3


def test_repeats_of_one_case_leave_the_others_as_they_are(scripted):
    found = run(scripted("ok", "oom"), only="end-ok", repeats=2)
    assert [name.split("/")[1].rpartition("-")[0] for name in found.run["repeats"]] == ["opt-tiny-end-ok"]
