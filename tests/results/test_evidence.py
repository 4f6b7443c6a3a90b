"""What an attempt left, read once."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from left import DONE, TRAINING, begin, end, leave

from benchspec.results import evidence
from benchspec.results.events import Tail
from benchspec.results.evidence import furthest_behind, open_phase


def test_events_logs_and_times_are_read_together(tmp_path):
    found = evidence.read(leave(tmp_path, [*TRAINING, DONE], TRAINING, stderr="a\nb\n"))
    assert [len(found.of(rank)) for rank in (0, 1, 2)] == [6, 5, 0]
    assert found.stderr == "a\nb\n"
    assert found.times == (0.0, 5.0)
    assert not found.finished


def test_it_is_finished_when_every_rank_is_done(tmp_path):
    assert evidence.read(leave(tmp_path, [*TRAINING, DONE], [DONE])).finished


def test_ranks_are_in_the_order_of_their_numbers_and_other_files_are_left_out(tmp_path):
    leave(tmp_path, *[[DONE]] * 11)
    (tmp_path / "rank-x.jsonl").write_text("")
    assert list(evidence.read(tmp_path).ranks) == list(range(11))


def test_what_is_no_event_is_counted_and_named(tmp_path):
    leave(tmp_path, [*TRAINING, DONE])
    (tmp_path / "rank-x.jsonl").write_text("")
    with (tmp_path / "rank-0.jsonl").open("a") as file:
        file.write('Hello\n\n{"event":"birthday","time":1}\n')
    found = evidence.read(tmp_path)
    assert found.passed_over == [
        "rank-x.jsonl is no rank's file and was passed over",
        "rank-0.jsonl: 2 lines are no events and were passed over (the first: line 7)",
    ]
    assert found.finished and found.unusable is None


def test_an_event_that_lacks_something_is_named_by_file_and_line(tmp_path):
    leave(tmp_path, TRAINING, [{"event": "step", "step": 1}, {"event": "step"}])
    found = evidence.read(tmp_path)
    assert found.unusable == "rank-1.jsonl:2: the event 'step' has no 'rows'"
    assert [event["event"] for event in found.of(1)] == ["start"]


def test_a_named_pipe_in_the_place_of_a_ranks_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "rank-0.jsonl")
    assert evidence.read(tmp_path).unusable == "rank-0.jsonl cannot be read: it is not a file"
    assert Tail(tmp_path).new() == []


def test_nothing_is_left_where_nothing_was_started(tmp_path):
    found = evidence.read(tmp_path)
    assert (found.ranks, found.stderr, found.times, found.finished) == ({}, "", None, False)


def test_a_file_whose_last_line_was_cut_off_is_named(tmp_path):
    leave(tmp_path, TRAINING, TRAINING)
    with (tmp_path / "rank-1.jsonl").open("a") as file:
        file.write('{"event":"step","lo')
    assert evidence.read(tmp_path).cut_off == ["rank-1.jsonl"]


def test_of_a_long_log_only_whole_lines_of_its_end_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "STDERR_BYTES", 6)
    leave(tmp_path, TRAINING, stderr="first line\nsecond\nx\n")
    assert evidence.read(tmp_path).stderr == "x\n"


def test_a_log_of_one_endless_line_is_read_from_somewhere_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "STDERR_BYTES", 6)
    leave(tmp_path, TRAINING, stderr="a" * 100)
    assert evidence.read(tmp_path).stderr == "a" * 6


def test_a_gigabyte_of_log_costs_as_little_as_a_megabyte(tmp_path):
    leave(tmp_path, TRAINING)
    with (tmp_path / "stderr.log").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"\nthe last line\n")
    tracemalloc.start()
    found = evidence.read(tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.stderr == "the last line\n"
    assert most < 10 << 20


def test_a_group_that_claims_a_billion_ranks_costs_nothing():
    ranks = {0: [{"event": "start", "rank": 0, "world": 10**9}, begin("data")]}
    assert furthest_behind(ranks) == (None, "start")


def test_a_rank_without_a_file_is_the_furthest_behind():
    ranks = {0: [{"event": "start", "rank": 0, "world": 2}, begin("data")]}
    assert furthest_behind(ranks) == (1, "start")


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        ([], "start"),
        ([begin("start")], "start"),
        ([begin("start"), end("start"), begin("data")], "data"),
        ([begin("train"), begin("first-step")], "first-step"),
        ([begin("train"), begin("first-step"), end("first-step")], "train"),
        ([begin("train"), begin("steady"), begin("save"), end("save")], "steady"),
        ([begin("start"), end("start"), begin("train"), end("train")], "train"),
    ],
)
def test_the_open_phase_is_the_innermost(found, phase):
    assert open_phase(found) == phase
