"""Which rank holds up the others, and how a hang is told."""

from __future__ import annotations

import pytest

from benchspec.running.culprit import Frame, Seen, culprit, hang
from benchspec.running.stall import Place, Stall

MINE = Frame("/home/me/recipe.py", 88, "wait_for_ever")
TRAIN = Frame("/home/me/recipe.py", 40, "train")
BARRIER = Frame("/site-packages/torch/distributed/distributed_c10d.py", 5356, "barrier")
BACKWARD = Frame("/site-packages/torch/autograd/graph.py", 800, "_engine_run_backward")
WAITING = Seen("runs", 0.3, 0.01, (BARRIER, TRAIN))


def stall(*events, seconds=130.0, step_time=0.5, phase="steady", step=7):
    places = {rank: Place(open=["train", phase], step=step, events=count) for rank, count in enumerate(events)}
    return Stall(0, seconds, step_time, places)


@pytest.mark.parametrize(
    ("seen", "rank", "words"),
    [
        ([WAITING, Seen("gone")], 1, "has gone"),
        ([WAITING, Seen("stopped", 130.0, 0.0, (MINE,))], 1, "was stopped by a signal, in wait_for_ever (recipe.py:88)"),
        ([WAITING, Seen("kernel", 0.2, 0.0, (TRAIN,))], 1, "waits in the kernel; is a driver or a file system hung?, in train (recipe.py:40)"),
        ([WAITING, Seen("runs", 130.0, None, (MINE,))], 1, "holds Python's lock in a call that does not return, in wait_for_ever (recipe.py:88)"),
        ([WAITING, Seen("runs", 0.4, 0.01, (MINE, TRAIN))], 1, "is behind, in wait_for_ever (recipe.py:88)"),
        ([Seen("runs", 0.4, 0.9, (MINE, TRAIN)), WAITING], 0, "is behind, in wait_for_ever (recipe.py:88)"),
        # Where ranks wait in no collective, the one that is elsewhere.
        ([Seen(stack=(TRAIN,))] * 3 + [Seen(stack=(MINE, TRAIN))], 3, "is behind, in wait_for_ever (recipe.py:88)"),
        ([Seen(stack=(BACKWARD, TRAIN))] * 2 + [Seen(stack=(BARRIER, TRAIN))], 2, "is behind, in barrier (distributed_c10d.py:5356)"),
        # Without stacks, the only one that computes.
        ([Seen(cpu=0.02), Seen(cpu=0.98)], 1, "is behind"),
        # Nothing tells.
        ([WAITING, WAITING], None, ""),
        ([Seen(), Seen()], None, ""),
        ([Seen(cpu=0.98), Seen(cpu=0.97)], None, ""),
        ([Seen(stack=(TRAIN,)), Seen(stack=(TRAIN,))], None, ""),
        # Half of them elsewhere: one of those is it, and none can be named.
        ([WAITING, WAITING, Seen(stack=(MINE,)), Seen(stack=(MINE,))], None, ""),
        ([Seen("runs", 0.1, 0.9, (MINE,))], 0, "stands still, in wait_for_ever (recipe.py:88)"),
    ],
)  # fmt: skip
def test_the_rank_that_holds_up_the_others(seen, rank, words):
    assert culprit(stall(*[20] * len(seen)), dict(enumerate(seen))) == (rank, words)


@pytest.mark.parametrize(
    "seen",
    [
        # One that waits for a GPU uses a whole core for that, so the other one may be the culprit.
        [Seen(cpu=0.02), Seen(cpu=0.98)],
        # One that waits for a collective on a GPU is wherever its result is read; the other one queues its backward pass.
        [Seen("runs", 0.3, 0.98, (BACKWARD, TRAIN)), Seen("runs", 0.3, 0.98, (TRAIN,))],
    ],
)
def test_with_accelerators_less_tells_who_waits(seen):
    stalled = stall(20, 20)
    for place in stalled.places.values():
        place.take({"event": "device"}, waited=False)
    assert culprit(stalled, dict(enumerate(seen))) == (None, "")
    assert culprit(stalled, {0: WAITING, 1: Seen("runs", 0.4, 0.98, (MINE,))})[0] == 1


def test_a_rank_with_fewer_steps_is_behind_whatever_it_does():
    assert culprit(stall(20, 19, 20), {0: WAITING, 1: WAITING, 2: WAITING})[0] == 1


def test_a_process_that_has_gone_counts_more_than_a_rank_that_is_behind():
    assert culprit(stall(20, 20, 19), {0: WAITING, 1: Seen("gone"), 2: WAITING})[0] == 1


def test_a_hang_in_words():
    found = hang(stall(20, 20), {0: WAITING, 1: Seen("stopped", stack=(MINE,))})
    assert (found.rank, found.phase) == (1, "steady")
    assert found.reason == (
        "no step after step 7 for 2 min 10 s, where one takes 0.5 s; "
        "rank 1 was stopped by a signal, in wait_for_ever (recipe.py:88)"
    )


def test_a_hang_before_the_first_step_names_the_limit():
    found = hang(stall(3, 3, seconds=7201.0, step_time=None, phase="data"), {0: Seen(), 1: Seen()})
    assert (found.rank, found.phase, found.reason) == (None, "data", "no progress in data for 2 h (limits.stall)")
