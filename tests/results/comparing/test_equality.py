"""What should be equal in two runs of a case."""

from __future__ import annotations

from compared_runs import CASE, RECORD, run_dir

from benchspec.results.comparing.equality import differing
from benchspec.results.comparing.sides import paired


def found(tmp_path, *, base=None, head=None, across=()):
    """What differs between two runs of which each has such a `case` or such a `record`."""
    runs = [run_dir(tmp_path / name, [1.0], **(fields or {})) for name, fields in (("b", base), ("h", head))]
    (sides,) = paired(*runs)
    return differing(sides, across)


def test_two_equal_runs_differ_in_nothing(tmp_path):
    assert found(tmp_path)[:2] == ([], [])


def test_a_setting_that_differs(tmp_path):
    case = {**CASE, "train": {**CASE["train"], "batch_size": 8}}
    assert found(tmp_path, head={"case": case}).unequal == ["train.batch_size: 4 in base, 8 in head"]


def test_limits_repeats_and_the_places_of_files_are_no_settings(tmp_path):
    base = {**CASE, "limits": {"timeout": None}, "repeats": 3, "model": {**CASE["model"], "path": "/models/opt"}}
    head = {**CASE, "limits": {"timeout": 60}, "repeats": 5, "model": {**CASE["model"], "path": "/data/opt"}}
    assert found(tmp_path, base={"case": base}, head={"case": head})[:2] == ([], [])


def test_an_option_that_one_version_does_not_know_is_at_its_default_there(tmp_path):
    newer = {**CASE, "dataset": {**CASE["dataset"], "shuffled": False}}
    assert found(tmp_path, head={"case": newer})[:2] == ([], [])


def test_an_option_that_only_one_spec_names_differs(tmp_path):
    said = {**CASE["said"], "train": {"max_length": 64}}
    newer = {**CASE, "said": said, "train": {**CASE["train"], "max_length": 64}}
    assert found(tmp_path, head={"case": newer}).unequal == ["train.max_length: none in base, 64 in head"]


def test_data_processes_machine_and_libraries(tmp_path):
    other = {
        "data": {"fingerprint": "beef", "identity": None},
        "processes": 2,
        "machine": {"cpu": "Xeon", "driver": None},
        "libraries": {"python": "3.11.7", "torch": "2.14.0"},
        "commits": {"benchspec": {"id": "b" * 40, "dirty": False, "digest": "2"}},
    }
    commits = "code of benchspec: commit aaaaaaa in base, commit bbbbbbb in head"
    machine = "cpu: AMD EPYC, 2 cores in base, Xeon in head"
    libraries = "torch: 2.13.0 in base, 2.14.0 in head"
    rest = ["data: f00d in base, beef in head", "processes: 1 in base, 2 in head"]
    assert found(tmp_path, head={"record": other})[:2] == ([*rest, machine, libraries], [commits])
    across = found(tmp_path / "across", head={"record": other}, across=["machine", "libraries"])
    assert across[:2] == (rest, [machine, libraries, commits])


def test_what_only_one_version_records_is_no_difference(tmp_path):
    newer = {**RECORD, "libraries": {**RECORD["libraries"], "numpy": "2.4.6"}}
    assert found(tmp_path, head={"record": newer})[:2] == ([], [])


def test_launches_of_one_run_should_be_equal_too(tmp_path):
    from compared_runs import add

    from benchspec.results import Results

    base = run_dir(tmp_path / "b", [1.0])
    run_dir(tmp_path / "h", [1.0])
    add(tmp_path / "h", 2, 1.0, record={**RECORD, "libraries": {"python": "3.11.7", "torch": "2.14.0"}})
    (sides,) = paired(base, Results.load(tmp_path / "h"))
    assert differing(sides, ()).unequal == ["torch: 2.13.0 in base, 2.13.0 or 2.14.0 in head"]


def test_what_is_not_known_cannot_be_taken_for_equal(tmp_path):
    base, head = run_dir(tmp_path / "b", [1.0]), run_dir(tmp_path / "h", [1.0], record={})
    next((tmp_path / "b").rglob("case.json")).write_text("{broken")
    (sides,) = paired(base, head)
    assert differing(sides, ()).unequal == [
        "base has no case.json of a launch, so its settings are not known",
        "head does not say what its results depend on: it is of an earlier version of benchspec",
    ]


def test_a_launch_that_failed_before_its_data_is_not_of_other_data(tmp_path):
    nothing = {**RECORD, "data": {"fingerprint": None, "identity": None}}
    runs = run_dir(tmp_path / "b", [1.0]), run_dir(tmp_path / "h", [None], record=nothing)
    (sides,) = paired(*runs)
    assert differing(sides, ())[:2] == ([], [])
