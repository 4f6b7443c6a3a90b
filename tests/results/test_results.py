"""A run directory -> `Results`."""

from __future__ import annotations

import json

import pytest
from example_results import RUN, oom, published, result, statement
from left import leave

from benchspec.results import Results, append
from benchspec.results.events import EventLog
from benchspec.terms.errors import BenchspecError, PluginError


def run_json(folder, **run):
    (folder / "run.json").write_text(json.dumps({"name": "xe9680", **run}))


def test_run_json_gives_the_name(tmp_path):
    run_json(tmp_path, machine_line="8 × H100")
    loaded = Results.load(tmp_path)
    assert (loaded.name, loaded.run["machine_line"], list(loaded)) == ("xe9680", "8 × H100", [])


def test_the_last_line_of_a_case_counts(tmp_path):
    append(tmp_path, oom(attempt="1"))
    append(tmp_path, oom(attempt="2"))
    append(tmp_path, oom(experiment="rows"))
    assert [(each.experiment, each.attempt) for each in Results.load(tmp_path)] == [("sizes", "2"), ("rows", "1")]


def test_results_are_in_the_plans_order_and_of_the_plan_only(tmp_path):
    run_json(tmp_path, cases=[["sizes", "c"], ["sizes", "b"], ["sizes", "a"]])
    for case in ("a", "of-an-earlier-spec", "c"):
        append(tmp_path, result(case=case))
    assert [each.case for each in Results.load(tmp_path)] == ["c", "a"]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "nowhere: no such run directory"),
        (".", "is not a run directory: it has neither run.json nor results.jsonl"),
    ],
)
def test_a_folder_that_is_not_a_run_directory_is_one_line(tmp_path, folder, said):
    with pytest.raises(BenchspecError) as caught:
        Results.load(tmp_path / folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expected", "as_expected"),
    [({}, False), ({"sizes/opt-30b-1f9c2a": ["oom", "ok"]}, True), ({"sizes/opt-30b-1f9c2a": ["ok"]}, False)],
)
def test_an_outcome_may_be_expected(expected, as_expected):
    assert Results([result(), oom()], {"expected": expected}).as_expected() == as_expected


def test_a_planned_case_without_a_result_is_not_as_expected(tmp_path):
    run_json(tmp_path, cases=[["sizes", "a"], ["sizes", "b"]])
    append(tmp_path, result(case="a"))
    found = Results.load(tmp_path)
    assert found.missing() == ["sizes/b"]
    assert not found.as_expected()
    found.judged = [("sizes", "a")]
    assert found.as_expected()


def test_no_results_are_not_as_expected():
    assert not Results([]).as_expected()
    assert not Results([], {"cases": []}).as_expected()


def test_the_log_of_a_result_is_that_of_its_attempt(tmp_path):
    append(tmp_path, result(case="a", attempt="2"))
    (folder := tmp_path / "cases" / "sizes" / "a" / "2").mkdir(parents=True)
    found = Results.load(tmp_path)
    assert found.log_of(found[0]) is None
    (folder / "stderr.log").write_text("no")
    assert found.log_of(found[0]) == folder / "stderr.log"


def test_a_value_that_came_after_the_measurement_is_compared_with_it(tmp_path):
    mine = result(metrics={"train_runtime": 450.0})
    append(tmp_path, mine)
    run_json(tmp_path, hardware="xe9680-h100", statements=[statement(published(value=900), mine)])
    (verdict,) = Results.load(tmp_path).verdicts
    assert (verdict["published"], verdict["measured"], verdict["verdict"]) == (900, 450.0, "better")


def test_the_steps_of_a_result_are_read_from_its_attempt(tmp_path):
    mine = result(attempt="2")
    folder = tmp_path / "cases" / mine.experiment / mine.case / "2"
    folder.mkdir(parents=True)
    counts = {"rows": 32, "tokens": 3680, "padded_tokens": 5536, "loss_tokens": 2100}
    for rank in range(2):
        log = EventLog(folder, rank)
        log.add("start", rank=rank, world=2, pid=1)
        log.add("begin", phase="first-step")
        log.add("step", step=1, **counts, loss=1.9, grad_norm=3.25)
    append(tmp_path, mine)
    loaded = Results.load(tmp_path)
    (step,) = loaded.steps(loaded[0])
    assert list(step) == ["step", "seconds", "loss", "grad_norm", "rows", "tokens"]
    assert step["seconds"] >= 0
    assert {**step, "seconds": 0} == {
        "step": 1,
        "seconds": 0,
        "loss": 1.9,
        "grad_norm": 3.25,
        "rows": 64,
        "tokens": 7360,
    }


def test_a_result_whose_files_are_gone_has_no_steps(tmp_path):
    append(tmp_path, result())
    loaded = Results.load(tmp_path)
    assert loaded.steps(loaded[0]) == []


def test_results_are_found_by_their_case():
    found = Results([result(), oom(), result(experiment="rows", case="rows-1")])
    assert found["opt-30b-1f9c2a"] is found["sizes/opt-30b-1f9c2a"] is found[1]
    assert found["rows-1"] is found[-1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "opt-6.7b-1f9c2a",
            "several experiments have the case 'opt-6.7b-1f9c2a': sizes/opt-6.7b-1f9c2a, rows/opt-6.7b",
        ),
        ("opt-30b", "no case 'opt-30b' has a result; did you mean 'sizes/opt-30b-1f9c2a'?"),
        ("opt-30b-1f9c2b", "no case 'opt-30b-1f9c2b' has a result; did you mean 'opt-30b-1f9c2a'?"),
        (
            "x",
            "no case 'x' has a result (cases that have one: 'sizes/opt-6.7b-1f9c2a', 'rows/opt-6.7b-1f9c2a', 'sizes/",
        ),
    ],
)
def test_a_case_that_is_not_found_is_told_with_what_may_be_meant(name, said):
    with pytest.raises(KeyError) as caught:
        Results([result(), result(experiment="rows"), oom()])[name]
    assert caught.value.args[0].startswith(said)


def test_of_thousands_of_cases_some_are_named():
    with pytest.raises(KeyError, match=r"did you mean 'sizes/a-0', .*'sizes/a-4', …\?"):
        Results([result(case=f"a-{number}") for number in range(2000)])["a-"]
    with pytest.raises(KeyError, match="cases that have one: none"):
        Results([])["a"]


def test_results_say_what_they_are():
    assert repr(Results([result(), oom(), oom(case="b")], {"name": "xe9680", "cases": [["sizes", "a"]] * 4})) == (
        "<Results of 'xe9680': 3 of 4 cases: 1 ok, 2 oom>"
    )
    assert repr(Results([], {"name": "bad\x1b[31m\n"})) == r"<Results of 'bad\x1b[31m ': 0 of 0 cases>"


def test_of_several_launches_a_case_has_the_medians():
    times = [12.0, 10.0, 11.0]
    found = Results([result(launch=n, attempt=str(n), metrics={"train_runtime": t}) for n, t in enumerate(times, 1)])
    (case,) = found.by_case()
    assert (case.numbers, case.range("train_runtime")) == ({"train_runtime": 11.0}, (10.0, 12.0))
    assert [launch.launch for launch in case.launches] == [1, 2, 3] and len(found) == 3
    assert found["opt-6.7b-1f9c2a"].metrics["train_runtime"] == 11.0


def test_a_case_lacks_a_result_until_each_launch_has_one():
    run = {"cases": [["sizes", "opt-6.7b-1f9c2a"]], "repeats": {"sizes/opt-6.7b-1f9c2a": 2}}
    assert Results([result()], run).missing() == ["sizes/opt-6.7b-1f9c2a"]
    assert not Results([result()], run).as_expected()
    assert Results([result(), result(launch=2)], run).as_expected()
    assert not Results([result(launch=2), result(launch=3)], run).as_expected()


def test_the_last_line_of_a_launch_counts(tmp_path):
    for attempt, launch, outcome in (("1", 1, "crash"), ("2", 2, "ok"), ("3", 1, "ok")):
        ending = {"phase": "train", "reason": "no"} if outcome != "ok" else {}
        append(tmp_path, result(attempt=attempt, launch=launch, outcome=outcome, **ending))
    assert [(each.launch, each.attempt) for each in Results.load(tmp_path)] == [(1, "3"), (2, "2")]


def test_any_reporter_gives_its_text_and_writes_no_file(tmp_path):
    found = Results([result()], RUN, tmp_path)
    assert "14 min 2 s" in found.report()
    assert found.report("csv").startswith("experiment,case,")
    assert json.loads(found.report("json"))["name"] == "xe9680"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PluginError, match=r"no reporter is called 'markdwon' .*did you mean 'markdown'"):
        found.report("markdwon")


@pytest.mark.parametrize(
    "names",
    [
        {"case": "../../../other/1"},
        {"experiment": "{other}", "case": "1"},
        {"experiment": "..", "case": "..", "attempt": "../other/1/1"},
        {"case": "a\0b"},
    ],
)
def test_a_journal_of_somebody_else_leads_to_no_other_folder(tmp_path, names):
    other = tmp_path / "other" / "1" / "1"
    other.mkdir(parents=True)
    counts = {"rows": 1, "tokens": 1, "padded_tokens": 1, "loss_tokens": 1}
    leave(other, [{"event": "step", "step": 1, **counts, "loss": 1.0, "grad_norm": 1.0}], stderr="a secret")
    run = tmp_path / "run"
    (run / "cases" / "sizes").mkdir(parents=True)
    append(run, result(**{key: name.format(other=tmp_path / "other") for key, name in names.items()}))
    found = Results.load(run)
    assert found.log_of(found[0]) is None
    assert found.steps(found[0]) == []


def test_one_launch_alone_is_a_results_own():
    (alone,) = Results([result()], RUN).by_case()
    assert alone.launches == (alone,)
