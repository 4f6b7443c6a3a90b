"""Run directories of a history."""

from __future__ import annotations

import pytest
from compared_runs import run_dir

from benchspec.results.comparing.folders import loaded
from benchspec.terms.errors import BenchspecError


def test_a_folder_stands_for_the_run_directories_in_it(tmp_path):
    for name in ("b", "a"):
        run_dir(tmp_path / name, [1.0])
    (tmp_path / "notes").mkdir()
    assert [each.folder.name for each in loaded([str(tmp_path)], print)] == ["a", "b"]
    assert [each.folder.name for each in loaded([str(tmp_path / "b")], print)] == ["b"]


def test_a_run_directory_that_is_named_twice_counts_once(tmp_path):
    for name in ("a", "b"):
        run_dir(tmp_path / name, [1.0])
    found = loaded([str(tmp_path / "b"), str(tmp_path), f"{tmp_path}/a/../b"], print)
    assert [each.folder.name for each in found] == ["b", "a"]


def test_what_cannot_be_read_is_left_out_with_a_warning(tmp_path):
    run_dir(tmp_path / "good", [1.0])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "results.jsonl").write_text("nonsense\n\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "results.jsonl").touch()
    said = []
    assert len(loaded([str(tmp_path)], said.append)) == 1
    assert "broken/results.jsonl:1: error: not JSON" in said[0] and said[0].endswith("; it is left out")
    assert said[1].endswith("empty has no results; it is left out")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such run directory"),
        (".", "is no run directory and holds none: it has neither run.json nor results.jsonl"),
    ],
)
def test_a_folder_without_runs_says_so(tmp_path, name, message):
    with pytest.raises(BenchspecError, match=message):
        loaded([str(tmp_path / name)], print)
