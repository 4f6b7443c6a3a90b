"""The folders of a case's attempts."""

import json
from dataclasses import replace
from pathlib import Path

from benchspec import run
from benchspec.cases.case import Case
from benchspec.running import attempts


def test_an_attempt_that_was_cut_off_is_run_again_beside_its_evidence(scripted):
    (only,) = run(scripted("ok"))
    Path("runs/demo/results.jsonl").write_text("")
    events = Path(f"runs/demo/cases/ends/{only.case}/1/rank-0.jsonl")
    events.write_text(events.read_text().splitlines()[0] + '\n{"event":"do')
    (again,) = run(scripted("ok"))
    assert again.attempt == "2"
    assert events.exists()


def test_attempts_are_counted_from_one_and_the_tenth_is_later_than_the_ninth(cases, tmp_path):
    (case,) = cases("title: x")
    assert attempts.last(tmp_path, case) is None
    made = [attempts.new(tmp_path, case, "now") for _ in range(11)]
    home = tmp_path / "cases" / "one" / case.id
    assert made == [home / str(number) for number in range(1, 12)]
    assert attempts.last(tmp_path, case) == home / "11"


def test_other_folders_are_not_attempts(cases, tmp_path):
    (case,) = cases("title: x")
    first = attempts.new(tmp_path, case, "now")
    (first.parent / "notes").mkdir()
    assert attempts.last(tmp_path, case) == first


def test_an_attempts_folder_holds_the_case(cases, tmp_path):
    (case,) = cases("title: x")
    found = json.loads((attempts.new(tmp_path, case, "now") / "case.json").read_text())
    assert found.pop("invocation") == "now"
    assert Case.from_json(found) == case


def test_cases_of_different_content_or_experiment_have_folders_of_their_own(cases, tmp_path):
    first, second = cases("matrix: {train.seed: [1, 2]}")
    for case in (first, second, replace(first, experiment="two")):
        assert attempts.new(tmp_path, case, "now").name == "1"
