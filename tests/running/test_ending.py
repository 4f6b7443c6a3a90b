"""How a process group ended, by the evidence that it left."""

from __future__ import annotations

import json

import pytest

from benchspec.running import ending as launch
from benchspec.running.ending import Flight, furthest_behind, judge, log_tail, open_phase


def begin(phase):
    return {"event": "begin", "phase": phase}


def end(phase):
    return {"event": "end", "phase": phase}


def failure(outcome="crash", reason="ValueError: no", phase="steady", **fields):
    return {"event": "failure", "outcome": outcome, "phase": phase, "reason": reason, **fields}


DONE = {"event": "done"}
TRAINING = [begin("start"), end("start"), begin("train"), begin("steady")]


def leave(folder, *ranks, stderr="", world=None):
    """The files of a group whose ranks wrote these events, a second apart."""
    for rank, found in enumerate(ranks):
        events = [{"event": "start", "rank": rank, "world": world or len(ranks), "pid": 1}, *found]
        lines = [json.dumps({"time": float(number), **event}) for number, event in enumerate(events)]
        (folder / f"rank-{rank}.jsonl").write_text("".join(line + "\n" for line in lines))
    (folder / "stderr.log").write_text(stderr)
    return folder


def torchrun_says(*deaths):
    """The end of torchrun's own message of ranks that ended: (rank, exit code)."""
    blocks = [
        f"[{index}]:\n  time      : now\n  host      : here\n  rank      : {rank} (local_rank: {rank})\n"
        f"  exitcode  : {code} (pid: 7)\n  error_file: <N/A>\n"
        for index, (rank, code) in enumerate(deaths)
    ]
    first = "E1123 22:07:55.474 19819 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: -9)\n"
    return first + "Root Cause (first observed failure):\n".join(reversed(blocks))


def ending(folder, **limits):
    found = judge(folder, **limits)
    return found.outcome, found.phase, found.rank


def test_it_is_ok_when_every_rank_is_done_whatever_came_after(tmp_path):
    leave(tmp_path, [*TRAINING, DONE], [*TRAINING, DONE], stderr=torchrun_says((0, -6)))
    assert ending(tmp_path) == ("ok", None, None)
    assert ending(tmp_path, timeout=5) == ("ok", None, None)


def test_a_rank_that_is_not_done_is_not_ok(tmp_path):
    assert ending(leave(tmp_path, [*TRAINING, DONE], TRAINING))[0] == "crash"


def test_a_failure_says_where_and_why(tmp_path):
    leave(tmp_path, TRAINING, [*TRAINING, failure("oom", "CUDA out of memory", "first-step")], stderr="a\nb\n")
    found = judge(tmp_path)
    assert (found.outcome, found.phase, found.rank) == ("oom", "first-step", 1)
    assert found.reason == "CUDA out of memory"
    assert found.log == ("a", "b")


def test_a_rank_that_torchrun_ended_explains_nothing(tmp_path):
    """The others are ended with SIGTERM after any failure; a mistake of the user's keeps its words."""
    told = failure(reason="rows.json: row 3 has no 'output'", phase="data", mistake=True)
    leave(tmp_path, [told], [begin("data")], stderr=torchrun_says((0, 1), (1, -15)))
    found = judge(tmp_path)
    assert (found.rank, found.reason, found.mistake) == (0, "rows.json: row 3 has no 'output'", True)


def test_running_out_of_memory_explains_the_crashes_of_the_others(tmp_path):
    leave(tmp_path, [failure(reason="RuntimeError: Connection closed by peer")], [*TRAINING, failure("oom")])
    assert ending(tmp_path) == ("oom", "steady", 1)


def test_the_earliest_crash_counts(tmp_path):
    leave(tmp_path, [*TRAINING, failure(reason="later")], [failure(reason="first")])
    assert judge(tmp_path).reason == "first"


@pytest.mark.parametrize("others_exit", [[], [(0, 1)], [(0, -15)]])
def test_a_killed_rank_explains_the_crash_of_one_that_lost_it(tmp_path, others_exit):
    lost = failure(reason="RuntimeError: Read error: Connection reset by peer")
    leave(tmp_path, [*TRAINING, lost], TRAINING, stderr=torchrun_says(*others_exit, (1, -9)))
    assert ending(tmp_path) == ("crash", "steady", 1)
    assert judge(tmp_path).reason.startswith("killed (signal 9)")


def test_a_rank_that_torchrun_ended_is_not_the_cause(tmp_path):
    leave(tmp_path, TRAINING, TRAINING, stderr=torchrun_says((0, -15), (1, -9)))
    assert ending(tmp_path) == ("crash", "steady", 1)


def test_a_rank_that_aborts_after_another_crashed_is_not_the_cause(tmp_path):
    leave(tmp_path, TRAINING, [*TRAINING, failure(reason="ValueError: no")], stderr=torchrun_says((0, -6)))
    assert judge(tmp_path).rank == 1


def test_a_rank_that_gave_its_reason_is_not_taken_for_killed(tmp_path):
    leave(tmp_path, [*TRAINING, failure("oom")], stderr=torchrun_says((0, -9)))
    assert ending(tmp_path) == ("oom", "steady", 0)


@pytest.mark.parametrize(
    ("counts", "outcome"), [((3, 4), "host-oom"), ((3, 3), "crash"), ((None, 4), "crash"), ((3, None), "crash")]
)
def test_the_kernel_is_blamed_only_if_it_killed_meanwhile(tmp_path, monkeypatch, counts, outcome):
    before, after = counts
    monkeypatch.setattr(launch, "kernel_kills", lambda: before)
    launch.note_kernel_kills(tmp_path)
    monkeypatch.setattr(launch, "kernel_kills", lambda: after)
    leave(tmp_path, TRAINING, stderr=torchrun_says((0, -9)))
    assert ending(tmp_path) == (outcome, "steady", 0)


@pytest.mark.parametrize(
    ("code", "said", "outcome", "reason"),
    [
        (-11, "", "crash", "ended by SIGSEGV"),
        (-6, "", "crash", "ended by SIGABRT"),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'\n", "oom", "std::bad_alloc"),
        (-6, "[Rank 0] Watchdog caught collective operation timeout: …\n", "hang", "Watchdog caught"),
    ],
)
def test_a_signal_is_named(tmp_path, code, said, outcome, reason):
    leave(tmp_path, TRAINING, stderr=said + torchrun_says((0, code)))
    assert judge(tmp_path).outcome == outcome
    assert reason in judge(tmp_path).reason


def test_processes_that_say_nothing_are_quoted(tmp_path):
    leave(tmp_path, stderr="No module named 'torch'\n\n")
    found = judge(tmp_path)
    assert (found.outcome, found.phase, found.rank) == ("crash", "start", None)
    assert found.reason == "the processes ended before they were done: No module named 'torch'"


def test_a_full_disk_is_suspected_where_an_event_breaks_off(tmp_path):
    leave(tmp_path, TRAINING)
    with (tmp_path / "rank-0.jsonl").open("a") as file:
        file.write('{"event":"step","lo')
    assert judge(tmp_path).reason.endswith("rank-0.jsonl breaks off in the middle of a line; is the disk full?")


def test_a_timeout_says_which_rank_hangs_if_one_is_behind(tmp_path):
    leave(tmp_path, [*TRAINING, {"event": "step", "step": 1}], TRAINING)
    assert ending(tmp_path, timeout=90) == ("timeout", "steady", 1)
    assert judge(tmp_path, timeout=90).reason == "not finished after 1 min 30 s (limits.timeout)"


def test_no_rank_is_blamed_where_all_got_as_far(tmp_path):
    assert ending(leave(tmp_path, TRAINING, TRAINING), timeout=90) == ("timeout", "steady", None)


def test_a_rank_that_never_came_is_the_furthest_behind():
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
    ],
)
def test_the_open_phase_is_the_innermost(found, phase):
    assert open_phase(found) == phase


def test_the_log_is_the_ranks_own(tmp_path):
    leave(tmp_path, stderr="Traceback\nValueError: no\n" + torchrun_says((0, 1)))
    assert log_tail(tmp_path) == ("Traceback", "ValueError: no")


def test_the_log_is_torchruns_where_the_ranks_said_nothing(tmp_path):
    leave(tmp_path, stderr=torchrun_says((0, -9)))
    assert "exitcode  : -9" in "\n".join(log_tail(tmp_path))


def test_the_log_keeps_the_last_lines_only(tmp_path):
    leave(tmp_path, stderr="".join(f"{number}\n" for number in range(100)))
    assert log_tail(tmp_path)[0] == "80"
    assert log_tail(tmp_path / "nowhere") == ()


class Group:
    """A handle that runs until it is stopped."""

    id = "1"

    def __init__(self):
        self.code = None

    def poll(self):
        return self.code

    def stop(self):
        self.code = -15


def flight(folder, timeout=None, started=0.0):
    return Flight(folder, Group(), timeout, started)


def test_a_group_that_runs_has_not_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(launch.time, "time", lambda: 50.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    one.look()
    assert one.ended() is None
    assert one.handle.code is None


def test_a_group_is_stopped_at_its_time_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(launch.time, "time", lambda: 61.0)
    one = flight(leave(tmp_path, TRAINING), timeout=60)
    assert one.ended().outcome == "timeout"
    assert one.handle.code == -15


@pytest.mark.parametrize(("last", "outcome"), [(failure("oom"), "oom"), (DONE, "ok")])
def test_a_group_that_lingers_is_given_a_while(tmp_path, monkeypatch, last, outcome):
    monkeypatch.setattr(launch.time, "time", lambda: 100.0)
    one = flight(leave(tmp_path, [*TRAINING, last]))
    one.look()
    assert one.ended() is None
    monkeypatch.setattr(launch.time, "time", lambda: 100.0 + launch.GRACE)
    assert one.ended().outcome == outcome
    assert one.handle.code == -15


def test_a_line_that_a_full_disk_cut_off_does_not_hide_the_others(tmp_path):
    leave(tmp_path, [*TRAINING, DONE])
    text = (tmp_path / "rank-0.jsonl").read_text()
    (tmp_path / "rank-0.jsonl").write_text('{"event":"beg' + "\n" + text)
    assert flight(tmp_path).look()[0][1]["event"] == "start"
    assert ending(tmp_path)[0] == "ok"


@pytest.mark.parametrize(
    ("controllers", "file"), [("", "job/memory.events"), ("memory", "memory/job/memory.oom_control")]
)
def test_the_kernels_count_is_read_in_both_versions_of_control_groups(tmp_path, controllers, file):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("oom 5\noom_kill 3\n")
    assert launch._kills_of(f"0:{controllers}:/job", tmp_path) == 3
    assert launch._kills_of(f"0:{controllers}:/other", tmp_path) is None
    assert launch._kills_of("0:cpu:/job", tmp_path) is None
