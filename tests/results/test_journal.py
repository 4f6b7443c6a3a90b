"""The journal: appended to, read back, repaired after a crash."""

from __future__ import annotations

import errno
import json
import os

import pytest

from benchspec.results import Result, append, read_journal
from benchspec.terms.errors import BenchspecError, RunError


def result(case="a", **fields):
    usual = {"attempt": "1", "experiment": "sizes", "axes": {}, "outcome": "ok", "metrics": {"train_runtime": 903.2}}
    return Result(**{"case": case, **usual, "started": 1.0, "finished": 2.0, **fields})


def line(case="a", **changes):
    return json.dumps({**result(case).to_json(), **changes}).encode() + b"\n"


def journal(folder, *lines):
    (folder / "results.jsonl").write_bytes(b"".join(lines))
    return folder


def cases(folder):
    return [each.case for each in read_journal(folder)]


def test_what_is_appended_is_read_back(tmp_path):
    append(tmp_path, result("a"))
    append(tmp_path, result("b", outcome="oom", phase="build", reason="CUDA out of memory", metrics={}))
    append(tmp_path, result("a", attempt="2"))
    found = read_journal(tmp_path)
    assert [(each.case, each.outcome, each.attempt) for each in found] == [
        ("a", "ok", "1"),
        ("b", "oom", "1"),
        ("a", "ok", "2"),
    ]
    assert found[0].metrics == {"train_runtime": 903.2}


def test_a_line_is_in_schema_3_and_holds_nothing_that_was_published(tmp_path):
    append(tmp_path, result())
    written = json.loads((tmp_path / "results.jsonl").read_text())
    assert written["schema"] == 3
    assert "references" not in written


def test_a_line_in_schema_1_is_read_without_what_was_published(tmp_path):
    told = {"source": "a paper", "hardware": None, "metric": "train_runtime", "value": 900, "ratio": 1.0}
    (found,) = read_journal(journal(tmp_path, line(schema=1, references=[told])))
    assert found == result(axes={}, log=[], warnings=[])


def test_a_line_in_schema_2_is_read_and_says_nothing_of_what_it_depends_on(tmp_path):
    old = {key: value for key, value in result().to_json().items() if key != "record"}
    (found,) = read_journal(journal(tmp_path, json.dumps({**old, "schema": 2}).encode() + b"\n"))
    assert found == result(axes={}, log=[], warnings=[])
    assert found.record == {}


def test_no_journal_is_no_results(tmp_path):
    assert read_journal(tmp_path) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [line(), b"nonsense\n", line()],
            r"results\.jsonl:2: error: not JSON .*; remove the line to run its case again",
        ),
        (
            [line(), b'{"schema":4}\n'],
            r"results\.jsonl:2: error: not a result in schema 1, 2 or 3",
        ),
        ([b"[1]\n"], r"results\.jsonl:1: error: not a result in schema 1, 2 or 3"),
        ([b'{"schema":3}\n'], r"results\.jsonl:1: error: not a result: missing"),
        ([line(references=[])], r"results\.jsonl:1: error: not a result: .* unexpected .*'references'"),
    ],
)
def test_a_line_that_is_not_a_result_is_named_by_its_number(tmp_path, lines, said):
    with pytest.raises(BenchspecError, match=said) as caught:
        read_journal(journal(tmp_path, *lines))
    assert "\n" not in str(caught.value)


def test_a_last_line_cut_off_by_a_kill_is_ignored(tmp_path):
    assert cases(journal(tmp_path, line("a"), line("b")[:-20])) == ["a"]


def test_a_last_line_that_lacks_only_its_newline_counts(tmp_path):
    assert cases(journal(tmp_path, line("a"), line("b")[:-1])) == ["a", "b"]


@pytest.mark.parametrize("lost", [1, 2, 20, 200, len(line("b")) - 1])
def test_appending_after_a_crash_loses_nothing_whole(tmp_path, lost):
    journal(tmp_path, line("a"), line("b")[:-lost])
    append(tmp_path, result("c"))
    assert cases(tmp_path) == (["a", "b", "c"] if lost == 1 else ["a", "c"])


def test_a_journal_of_one_cut_off_line_is_emptied_first(tmp_path):
    journal(tmp_path, line("a")[:10])
    append(tmp_path, result("b"))
    assert cases(tmp_path) == ["b"]


def test_a_line_is_on_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((tmp_path / "results.jsonl").read_bytes()))
    append(tmp_path, result("a"))
    assert len(synced) == 1
    assert json.loads(synced[0])["case"] == "a"


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*results\.jsonl: No space left on device$"):
        append(tmp_path, result())
