"""A run directory <-> `Results`."""

from __future__ import annotations

import errno
import json
import os

import pytest
from jsonschema import Draft202012Validator

from benchspec.results import results
from benchspec.results.results import Result, Results
from benchspec.spec import schema
from benchspec.terms.errors import BenchspecError, RunError

CHECK = Draft202012Validator(schema.load("result"))


def result(case="opt-6.7b-1f9c2a", **fields):
    """A result that is ok, but for what `fields` says."""
    usual = {"attempt": "1", "experiment": "sizes", "axes": {"model": "opt-6.7b"}, "outcome": "ok"}
    return Result(
        **{"case": case, **usual, "metrics": {"train_runtime": 903.2}, "started": 1.0, "finished": 2.0, **fields}
    )


def oom(case="opt-30b-77aa01", **fields):
    ending = {"outcome": "oom", "phase": "first-step", "rank": 3, "reason": "CUDA out of memory", "log": ["OOM"]}
    return result(case, **{**ending, "metrics": {}, **fields})


def journal(folder, *lines):
    (folder / "results.jsonl").write_bytes(b"".join(lines))
    return folder


def line(case="a", **fields):
    return json.dumps(result(case, **fields).to_json()).encode() + b"\n"


def cases(folder):
    return [each.case for each in Results.load(folder)]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schema.load("result"))


def test_its_fields_are_those_of_a_result():
    assert list(schema.load("result")["properties"]) == list(result().to_json())


@pytest.mark.parametrize(
    "valid",
    [
        result(),
        oom(),
        oom(rank=None, outcome="timeout"),
        result(
            basis={"train_runtime": "projected"},
            intervals={"step_time_mean": [1.3, 1.4]},
            proof={"finite_losses": True, "sharded": ["OPTDecoderLayer"]},
        ),
        result(
            references=[
                {"source": "a paper", "hardware": "xe9680-h100", "metric": "train_runtime", "value": 900, "ratio": 1.0},
                {"source": "a paper", "hardware": None, "metric": "train_runtime", "value": 900, "ratio": None},
                {"source": "a paper", "hardware": None, "metric": "train_runtime", "below": 600, "met": False},
                {"source": "a paper", "hardware": None, "metric": "mfu", "above": 0.1, "met": None},
                {"source": "a paper", "hardware": None, "metric": "train_runtime", "between": [600, 720], "met": True},
                {"source": "a paper", "hardware": None, "metric": None, "outcome": "oom", "met": False},
            ]
        ),
    ],
)
def test_results_are_as_the_schema_says(valid):
    assert not list(CHECK.iter_errors(valid.to_json()))


@pytest.mark.parametrize(
    "wrong",
    [
        result(outcome="fine"),
        result(reason="it is ok, though"),
        oom(reason=None),
        oom(phase="training"),
        result(metrics={"speed": 3}),
        result(metrics={"mfu": "10%"}),
        result(basis={"mfu": "measured"}),
        result(intervals={"mfu": [1]}),
        result(references=[{"source": "a paper", "hardware": None, "metric": "mfu", "value": 1, "met": True}]),
        result(references=[{"source": "a paper", "hardware": None, "metric": "mfu", "ratio": 1}]),
    ],
)
def test_what_is_no_result_is_refused(wrong):
    assert not CHECK.is_valid(wrong.to_json())


def test_a_result_survives_json():
    there = oom(proof={"dtype": "float32"})
    assert Result.from_json(json.loads(json.dumps(there.to_json()))).to_json() == there.to_json()


def test_numbers_that_are_not_finite_become_null():
    assert result(proof={"worst": [float("nan"), 1.0]}).to_json()["proof"] == {"worst": [None, 1.0]}


def test_what_is_appended_is_loaded(tmp_path):
    results.append(tmp_path, result("a"))
    results.append(tmp_path, oom("b"))
    loaded = Results.load(tmp_path)
    assert [(each.case, each.outcome) for each in loaded] == [("a", "ok"), ("b", "oom")]
    assert loaded[0].metrics == {"train_runtime": 903.2}
    assert len(loaded) == 2


def test_run_json_gives_the_name(tmp_path):
    (tmp_path / "run.json").write_text('{"name": "xe9680", "machine_line": "8 × H100"}', encoding="utf-8")
    loaded = Results.load(tmp_path)
    assert (loaded.name, loaded.run["machine_line"], list(loaded)) == ("xe9680", "8 × H100", [])


def test_the_last_line_of_a_case_counts(tmp_path):
    results.append(tmp_path, oom("a", attempt="1"))
    results.append(tmp_path, result("a", attempt="2"))
    results.append(tmp_path, result("a", experiment="rows"))
    assert [(each.experiment, each.attempt) for each in Results.load(tmp_path)] == [("sizes", "2"), ("rows", "1")]
    assert [each.attempt for each in results.read_journal(tmp_path)] == ["1", "2", "1"]


def test_results_are_in_the_plans_order_and_of_the_plan_only(tmp_path):
    (tmp_path / "run.json").write_text('{"name": "x", "cases": [["sizes", "c"], ["sizes", "b"], ["sizes", "a"]]}')
    for case in ("a", "of-an-earlier-spec", "c"):
        results.append(tmp_path, result(case))
    assert cases(tmp_path) == ["c", "a"]


def test_no_journal_is_no_results(tmp_path):
    assert results.read_journal(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "no such run directory"),
        (lambda folder: folder, "is no run directory: it has neither run.json nor results.jsonl"),
        (lambda folder: journal(folder, line(), b"nonsense\n", line()), "results.jsonl:2: error: not JSON"),
        (
            lambda folder: journal(folder, b'{"schema":2}\n'),
            "results.jsonl:1: error: not a result that this benchspec knows",
        ),
        (lambda folder: journal(folder, b"[1]\n"), "results.jsonl:1: error: not a result that this benchspec knows"),
        (lambda folder: journal(folder, b'{"schema":1}\n'), "results.jsonl:1: error: not a result: missing"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_a_line(tmp_path, make, said):
    folder = make(tmp_path)
    with pytest.raises(BenchspecError) as caught:
        Results.load(folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_run_json_is_said_in_a_line(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(BenchspecError, match=r"run\.json: error: not JSON"):
        Results.load(tmp_path)


def test_a_last_line_cut_off_by_a_kill_is_ignored(tmp_path):
    assert cases(journal(tmp_path, line("a"), line("b")[:-20])) == ["a"]


def test_a_last_line_that_lacks_only_its_newline_counts(tmp_path):
    assert cases(journal(tmp_path, line("a"), line("b")[:-1])) == ["a", "b"]


@pytest.mark.parametrize("lost", [1, 2, 20, 200, len(line("b")) - 1])
def test_appending_after_a_crash_loses_nothing_whole(tmp_path, lost):
    journal(tmp_path, line("a"), line("b")[:-lost])
    results.append(tmp_path, result("c"))
    assert cases(tmp_path) == (["a", "b", "c"] if lost == 1 else ["a", "c"])


def test_a_journal_that_is_all_one_cut_off_line_is_begun_anew(tmp_path):
    journal(tmp_path, line("a")[:10])
    results.append(tmp_path, result("b"))
    assert cases(tmp_path) == ["b"]


def test_a_line_is_on_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((tmp_path / "results.jsonl").read_bytes()))
    results.append(tmp_path, result("a"))
    assert len(synced) == 1
    assert json.loads(synced[0])["case"] == "a"


def test_a_full_disk_is_said_in_a_line(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*results\.jsonl: No space left on device$"):
        results.append(tmp_path, result())


@pytest.mark.parametrize(
    ("expected", "as_expected"),
    [({}, False), ({"sizes/opt-30b-77aa01": ["oom", "ok"]}, True), ({"sizes/opt-30b-77aa01": ["ok"]}, False)],
)
def test_an_outcome_may_be_expected(expected, as_expected):
    assert Results([result(), oom()], {"expected": expected}).as_expected() == as_expected


def test_a_reference_that_came_after_the_measurement_is_shown(tmp_path):
    results.append(tmp_path, result(metrics={"train_runtime": 450.0}))
    told = {"source": "a paper", "hardware": None, "metric": "train_runtime", "value": 900}
    mine = result()
    run = {"name": "x", "published": {f"{mine.experiment}/{mine.case}": [told]}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    (found,) = Results.load(tmp_path)
    assert found.references == [{**told, "ratio": 0.5}]
