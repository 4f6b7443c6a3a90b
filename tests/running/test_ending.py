"""How a process group ended, judged from its evidence and the exit codes that its launcher reports."""

from __future__ import annotations

import json

import pytest
from left import DONE, TRAINING, begin, failure, leave

from benchspec.kinds.values import End
from benchspec.results import evidence
from benchspec.running.culprit import Hang
from benchspec.running.ending import judge

#: as gloo wrote it when two ranks reduced tensors of different sizes
ABORTED_BY_GLOO = """\
[rank1]: a warning
terminate called after throwing an instance of 'gloo::EnforceNotMet'
  what():  [enforce fail at /gloo/transport/tcp/pair.cc:456] op.preamble.length <= op.nbytes. 100000 vs 12. Received
[rank1]: more
"""


def ending(folder, deaths=(), **more):
    return judge(evidence.read(folder), dict(deaths), **more)


def where(found):
    return found.outcome, found.phase, found.rank


def test_it_is_ok_when_every_rank_is_done_whatever_came_after(tmp_path):
    leave(tmp_path, [*TRAINING, DONE], [*TRAINING, DONE])
    assert where(ending(tmp_path, [(0, -6)])) == ("ok", None, None)
    assert where(ending(tmp_path, timeout=5)) == ("ok", None, None)


def test_a_rank_that_is_not_done_is_not_ok(tmp_path):
    assert ending(leave(tmp_path, [*TRAINING, DONE], TRAINING)).outcome == "crash"


def test_a_failure_says_where_and_why(tmp_path):
    leave(tmp_path, TRAINING, [*TRAINING, failure("oom", "CUDA out of memory", "first-step")], stderr="a\nb\n")
    found = ending(tmp_path)
    assert where(found) == ("oom", "first-step", 1)
    assert found.reason == "CUDA out of memory"
    assert found.log == ("a", "b")


def test_a_mistake_of_the_users_keeps_its_words(tmp_path):
    told = failure(reason="rows.json: row 3 has no 'output'", phase="data", mistake=True)
    found = ending(leave(tmp_path, [told], [begin("data")]), [(0, 1), (1, -15)])
    assert (found.rank, found.reason, found.mistake) == (0, "rows.json: row 3 has no 'output'", True)


def test_running_out_of_memory_explains_the_crashes_of_the_others(tmp_path):
    leave(tmp_path, [failure(reason="RuntimeError: Connection closed by peer")], [*TRAINING, failure("oom")])
    assert where(ending(tmp_path)) == ("oom", "steady", 1)


def test_the_earliest_crash_counts(tmp_path):
    leave(tmp_path, [*TRAINING, failure(reason="later")], [failure(reason="first")])
    assert ending(tmp_path).reason == "first"


@pytest.mark.parametrize("code", [-9, 3])
def test_a_rank_that_died_silently_explains_the_crash_of_its_peer(tmp_path, code):
    lost = failure(reason="RuntimeError: Read error: Connection reset by peer")
    leave(tmp_path, [*TRAINING, lost], TRAINING)
    assert where(ending(tmp_path, [(1, code), (0, 1)])) == ("crash", "steady", 1)


def test_of_several_deaths_the_first_is_the_cause(tmp_path):
    leave(tmp_path, TRAINING, TRAINING)
    assert where(ending(tmp_path, [(1, -9), (0, -6)])) == ("crash", "steady", 1)


def test_a_rank_that_aborts_after_another_crashed_is_not_the_cause(tmp_path):
    leave(tmp_path, TRAINING, [*TRAINING, failure(reason="ValueError: no")])
    assert ending(tmp_path, [(0, -6)]).rank == 1


def test_a_rank_that_gave_its_reason_is_not_taken_for_killed(tmp_path):
    assert where(ending(leave(tmp_path, [*TRAINING, failure("oom")]), [(0, -9)])) == ("oom", "steady", 0)


def test_a_rank_that_was_done_is_not_the_cause(tmp_path):
    leave(tmp_path, [*TRAINING, DONE], TRAINING)
    assert where(ending(tmp_path, [(0, -6), (1, -11)])) == ("crash", "steady", 1)


@pytest.mark.parametrize(("by_kernel", "outcome"), [(True, "host-oom"), (False, "crash")])
def test_it_is_host_oom_only_if_the_kernel_has_killed_processes(tmp_path, by_kernel, outcome):
    found = ending(leave(tmp_path, TRAINING), [(0, -9)], kernel_killed=by_kernel)
    assert where(found) == (outcome, "steady", 0)
    assert "signal 9" in found.reason


@pytest.mark.parametrize(
    ("code", "said", "outcome", "reason"),
    [
        (-11, "", "crash", "ended by SIGSEGV"),
        (-6, "", "crash", "ended by SIGABRT"),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'\n", "oom", "std::bad_alloc"),
        (-6, "row 3 says std::bad_alloc\n", "crash", "ended by SIGABRT"),
        (
            -6,
            ABORTED_BY_GLOO,
            "crash",
            "SIGABRT: terminate called after throwing an instance of 'gloo::EnforceNotMet': [en",
        ),
        (-6, "free(): invalid pointer\n", "crash", "ended by SIGABRT: free(): invalid pointer"),
        (-11, "Fatal Python error: Segmentation fault\n\nThread 0x\n", "crash", "SIGSEGV: Fatal Python error: Seg"),
        (-7, "a warning\n", "crash", "ended by SIGBUS"),
        (-6, "[Rank 0] Watchdog caught collective operation timeout: …\n", "hang", "Watchdog caught"),
        (
            -6,
            "[Rank 0] ProcessGroupNCCL's watchdog got stuck for 480 seconds without …\n",
            "hang",
            "watchdog got stuck",
        ),
        (3, "", "crash", "ended with exit code 3 before it had finished"),
    ],
)
def test_an_exit_code_is_said_in_words(tmp_path, code, said, outcome, reason):
    found = ending(leave(tmp_path, TRAINING, stderr=said), [(0, code)])
    assert found.outcome == outcome
    assert reason in found.reason


def test_events_that_cannot_be_used_are_a_crash_whatever_came_of_the_processes(tmp_path):
    leave(tmp_path, [{"event": "energy"}, DONE])
    found = ending(tmp_path)
    assert where(found) == ("crash", "train", None)
    assert found.reason == "the events cannot be used: rank-0.jsonl:2: the event 'energy' has no 'joules'"
    found = ending(leave(tmp_path, [{"event": "energy"}, failure("oom", "CUDA out of memory")]))
    assert found.reason.endswith("has no 'joules'; CUDA out of memory")
    assert found.outcome == "crash"


def test_processes_that_say_nothing_are_quoted(tmp_path):
    found = ending(leave(tmp_path, stderr="No module named 'torch'\n\n"))
    assert where(found) == ("crash", "start", None)
    assert found.reason == "the processes ended before they had finished: No module named 'torch'"


def test_a_full_disk_is_suspected_where_an_event_breaks_off(tmp_path):
    leave(tmp_path, TRAINING)
    with (tmp_path / "rank-0.jsonl").open("a") as file:
        file.write('{"event":"step","lo')
    assert ending(tmp_path).reason.endswith("rank-0.jsonl breaks off in the middle of a line; is the disk full?")


def test_a_timeout_says_which_rank_hangs_if_one_is_behind(tmp_path):
    leave(tmp_path, [*TRAINING, begin("save")], TRAINING)
    found = ending(tmp_path, timeout=90)
    assert where(found) == ("timeout", "steady", 1)
    assert found.reason == "not finished after 1 min 30 s (limits.timeout)"


def test_a_group_that_stood_still_is_a_hang_whatever_it_did_when_it_was_ended(tmp_path):
    hang = Hang(1, "steady", "no step after step 7 for 2 min")
    for last in (failure(), DONE):
        found = judge(evidence.read(leave(tmp_path, [*TRAINING, last], stderr="a line")), {0: -9}, hang=hang)
        assert (found.outcome, found.phase, found.rank) == ("hang", "steady", 1)
        assert (found.reason, found.log) == (hang.reason, ("a line",))


def test_no_rank_is_blamed_where_all_got_as_far(tmp_path):
    assert where(ending(leave(tmp_path, TRAINING, TRAINING), timeout=90)) == ("timeout", "steady", None)


def test_the_log_keeps_the_last_lines_only(tmp_path):
    leave(tmp_path, TRAINING, stderr="".join(f"{number}\n" for number in range(100)))
    assert ending(tmp_path).log[0] == "80"


def test_the_first_failure_is_first_by_the_clock_that_nobody_sets(tmp_path):
    hosts = [{"event": "start", "rank": rank, "world": 2, "pid": 1, "host": "a"} for rank in (0, 1)]
    starts = [{**start, "time": 1000.0, "clock": 10.0} for start in hosts]
    set_back = [failure(time=900.0, clock=13.0), failure(reason="KeyError: the cause", time=1002.0, clock=12.0)]
    for rank, events in enumerate(zip(starts, set_back, strict=True)):
        (tmp_path / f"rank-{rank}.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = ending(tmp_path)
    assert (found.rank, found.reason) == (1, "KeyError: the cause")


CANCELLED = End("crash", "the job was cancelled (Slurm: CANCELLED)")


def test_what_a_scheduler_says_explains_ranks_that_left_nothing(tmp_path):
    found = ending(leave(tmp_path, TRAINING, TRAINING), end=CANCELLED)
    assert (found.outcome, found.reason) == ("crash", CANCELLED.reason)


def test_a_time_limit_of_benchspecs_own_is_the_outcome_whatever_a_scheduler_says(tmp_path):
    found = ending(leave(tmp_path, TRAINING, TRAINING), timeout=5, end=CANCELLED)
    assert (found.outcome, found.reason) == ("timeout", "not finished after 5 s (limits.timeout)")


def test_a_failure_that_explains_itself_counts_before_what_a_scheduler_says(tmp_path):
    found = ending(leave(tmp_path, [*TRAINING, failure("oom", "CUDA out of memory")]), end=CANCELLED)
    assert found.outcome == "oom"


WARNED = """\
Killed by somebody
/site/torch/fsdp.py:331: UserWarning: FSDP2-wrapped module is called twice
  output = self._register_pre_backward_hook(output)
[2026-11-27 14:49:19,262] [WARNING] [real_accelerator.py:213:get_accelerator] Setting accelerator to CPU.
"""


def test_a_warning_is_not_taken_for_the_last_words(tmp_path):
    found = ending(leave(tmp_path, TRAINING, stderr=WARNED))
    assert found.reason.endswith("ended before they had finished: Killed by somebody")
