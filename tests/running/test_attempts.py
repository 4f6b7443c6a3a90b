"""The folders of a case's attempts."""

import json
import os
from dataclasses import replace
from pathlib import Path

from benchspec import run
from benchspec.cases.case import Case, Launch
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
    first = Launch(case, 1)
    assert attempts.last(tmp_path, first) is None
    made = [attempts.new(tmp_path, first, "now") for _ in range(11)]
    home = tmp_path / "cases" / "one" / case.id
    assert made == [home / str(number) for number in range(1, 12)]
    assert attempts.last(tmp_path, first) == home / "11"


def test_launches_share_the_numbers_of_their_attempts_and_are_told_apart(cases, tmp_path):
    (case,) = cases("repeats: 2")
    made = [attempts.new(tmp_path, Launch(case, number), "now").name for number in (1, 2, 1)]
    assert made == ["1", "2", "3"]
    assert [attempts.last(tmp_path, Launch(case, number)).name for number in (1, 2)] == ["3", "2"]


def test_an_attempt_of_an_earlier_version_is_one_of_the_first_launch(cases, tmp_path):
    (case,) = cases("title: x")
    file = attempts.new(tmp_path, Launch(case, 1), "now") / "case.json"
    found = json.loads(file.read_text())
    del found["launch"], found["repeats"]
    file.write_text(json.dumps(found))
    assert attempts.last(tmp_path, Launch(case, 1)) == file.parent
    file.write_text("[]")
    assert attempts.last(tmp_path, Launch(case, 1)) is None


def test_other_folders_are_not_attempts(cases, tmp_path):
    (case,) = cases("title: x")
    first = attempts.new(tmp_path, Launch(case, 1), "now")
    (first.parent / "notes").mkdir()
    assert attempts.last(tmp_path, Launch(case, 1)) == first


def test_an_attempts_folder_holds_the_case(cases, tmp_path):
    (case,) = cases("title: x")
    found = json.loads((attempts.new(tmp_path, Launch(case, 3), "now") / "case.json").read_text())
    assert (found.pop("invocation"), found.pop("launch")) == ("now", 3)
    assert Case.from_json(found) == case


def test_cases_of_different_content_or_experiment_have_folders_of_their_own(cases, tmp_path):
    first, second = cases("matrix: {train.seed: [1, 2]}")
    for case in (first, second, replace(first, experiment="two")):
        assert attempts.new(tmp_path, Launch(case, 1), "now").name == "1"


def test_a_named_pipe_in_place_of_a_case_is_passed_over(cases, tmp_path):
    (case,) = cases("title: x")
    attempt = attempts.new(tmp_path, Launch(case, 1), "now")
    (attempt / "case.json").unlink()
    os.mkfifo(attempt / "case.json")
    (attempt.parent / "²").mkdir()
    # Were it opened, the test would stand still.
    assert attempts.last(tmp_path, Launch(case, 1)) is None
