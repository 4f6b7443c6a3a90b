"""The journal: appended to, read back, repaired after a crash."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest

from benchspec.results import Result, append, journal as module, read_journal
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
        ([b'{"schema":3}\n'], r"results\.jsonl:1: error: not a result \(.*is a required property\); remove the line"),
        ([line(references=[])], r"results\.jsonl:1: error: not a result \(.*'references' was unexpected\)\); remove"),
        ([line(metrics={"speed": 3})], r"jsonl:1: error: not a result \(metrics: 'speed' is not one of "),
        (
            [line(metrics={"mfu": "high"})],
            r"jsonl:1: error: not a result \(metrics\.mfu: 'high' is not of type 'number'\)",
        ),
        (
            [line(intervals={"mfu": [2, 1]})],
            r"jsonl:1: error: not a result \(intervals\.mfu ends before it begins\); remove the line",
        ),
        ([line(metrics=float("nan"))], r"jsonl:1: error: not JSON \(NaN is not in JSON\); remove the line"),
        ([line(axes=1).replace(b'"axes": 1', b'"axes": 1e999')], r"error: not JSON \(1e999 is too large\)"),
        ([line(axes={"a": 1}).replace(b"1}", b"[" * 99 + b"]" * 99 + b"}")], r"error: not JSON \(nested more than 64"),
        ([b"[" * 100_000 + b"\n"], r"error: not JSON \(nested more than 64 levels deep\)"),
        ([b"\xff\xfe\n"], r"error: not JSON"),
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


def test_appending_reads_no_more_than_the_end(tmp_path, monkeypatch):
    read = []

    class Counting(io.BufferedRandom):
        def read(self, size=-1):
            found = super().read(size)
            read.append(len(found))
            return found

    journal(tmp_path, line("a") * 2_000, line("b")[:-20])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda self, mode: Counting(io.FileIO(self, "a+")))
        append(tmp_path, result("c"))
        append(tmp_path, result("d"))
    assert 0 < sum(read) <= 2 * 2**16
    last = (tmp_path / "results.jsonl").read_bytes().splitlines()[-3:]
    assert [json.loads(line)["case"] for line in last] == ["a", "c", "d"]


def test_a_last_line_longer_than_what_is_read_at_a_time_is_found_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    journal(tmp_path, line("a"), line("b")[:-1])
    append(tmp_path, result("c"))
    journal(tmp_path, (tmp_path / "results.jsonl").read_bytes()[:-5])
    append(tmp_path, result("d"))
    assert cases(tmp_path) == ["a", "b", "d"]


def test_a_name_that_is_not_utf_8_is_written_as_json_escapes_it(tmp_path):
    append(tmp_path, result(reason="cannot open b\udce9.json", outcome="crash", phase="data"))
    assert b"b\\udce9.json" in (tmp_path / "results.jsonl").read_bytes()
    assert read_journal(tmp_path)[0].reason == "cannot open b\udce9.json"


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
