"""When a rank stands still: never on a slow run, always on one that does not go on."""

from __future__ import annotations

import random

import pytest
from left import DONE, begin, end, failure

from benchspec.running.stall import AWAKE, Watch

HOURS = 3600.0
#: seconds between looks, as if events were few
LOOK = 1.0


def start(world=1):
    return {"event": "start", "world": world}


def step(number):
    return {"event": "step", "step": number}


TRAINING = [begin("train"), begin("first-step")]
STEADY = [end("first-step"), begin("steady")]


class Group:
    """Ranks whose events a watch sees as time passes."""

    def __init__(self, world=1, stall=2 * HOURS, least=120.0):
        self.watch = Watch(stall, least)
        self.now = 0.0
        self.say({rank: [start(world)] for rank in range(world)})

    def say(self, events):
        stamped = [(rank, {"time": 0.0, "clock": self.now, **event}) for rank in events for event in events[rank]]
        self.watch.look(stamped, 0.0)

    def wait(self, seconds):
        """How long it took until a stall was told; None if there was none."""
        begun, end = self.now, self.now + seconds
        while self.now < end:
            passed = min(LOOK, end - self.now)
            self.now += passed
            self.watch.look([], passed)
            if self.watch.stalled():
                return self.now - begun
        return None

    def train(self, *seconds):
        self.say({0: TRAINING})
        for number, each in enumerate(seconds, start=1):
            assert self.wait(each) is None, f"step {number} of {each} s"
            self.say({0: [step(number), *(STEADY if number == 1 else [])]})
        return self


@pytest.mark.parametrize("typical", [0.1, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("least", [0.0, 120.0])
def test_a_pause_of_ten_median_steps_is_no_stall(typical, least):
    draw = random.Random(1)
    seconds = [typical * draw.uniform(0.7, 1.3) * (10 if number % 7 == 3 else 1) for number in range(60)]
    assert Group(least=least).train(*seconds).wait(10 * typical) is None


def test_a_slow_first_step_is_no_stall():
    assert Group().train(1.5 * HOURS, 3.0, 3.0, 3.0).wait(119) is None


def test_what_was_compiled_in_the_first_step_may_be_compiled_again():
    assert Group().train(300, *[1] * 50).wait(599) is None
    assert Group().train(300, *[1] * 50).wait(700) == pytest.approx(600, abs=2 * LOOK)
    assert Group(stall=400.0).train(300, *[1] * 50).wait(700) == pytest.approx(400, abs=2 * LOOK)


def test_a_step_of_a_minute_may_take_twenty():
    assert Group().train(60, 60, 60, 60).wait(19 * 60) is None


@pytest.mark.parametrize(("typical", "limit"), [(0.1, 120), (5.0, 120), (10.0, 200), (60.0, 1200)])
def test_a_stall_is_told_after_twenty_median_steps_or_two_minutes(typical, limit):
    group = Group().train(*[typical] * 5)
    assert group.wait(2 * limit) == pytest.approx(limit, abs=2 * LOOK)
    stall = group.watch.stalled()
    assert (stall.rank, stall.step_time) == (0, pytest.approx(typical))
    assert stall.seconds == pytest.approx(limit, abs=2 * LOOK)


def test_the_shortest_time_can_be_given():
    assert Group(least=3.0).train(0.01, 0.01).wait(10) == pytest.approx(4.0, abs=LOOK)


@pytest.mark.parametrize(
    "events", [[], [begin("start")], [begin("data")], [begin("start"), end("start")], TRAINING, [begin("shard")]]
)
def test_before_the_first_step_the_specs_limit_holds(events):
    group = Group(stall=600.0)
    group.say({0: events})
    assert group.wait(700) == pytest.approx(600, abs=2 * LOOK)
    assert group.watch.stalled().step_time is None


def test_saving_within_training_has_the_specs_limit_and_counts_in_no_step():
    group = Group(stall=600.0).train(1, 1, 1)
    for number in range(4, 8):
        group.say({0: [begin("save")]})
        assert group.wait(500) is None
        group.say({0: [end("save")]})
        assert group.wait(1) is None
        group.say({0: [step(number)]})
    assert group.wait(300) == pytest.approx(120, abs=2 * LOOK)
    group.say({0: [step(9), begin("save")]})
    assert group.wait(700) == pytest.approx(600, abs=2 * LOOK)


def both(*events):
    return {0: events, 1: events}


def test_a_rank_that_waits_for_one_that_saves_is_no_stall():
    group = Group(world=2, stall=600.0)
    group.say(both(*TRAINING, step(1), *STEADY, step(2), begin("save")))
    group.say({1: [end("save")]})
    assert group.wait(500) is None
    group.say({0: [end("save")]})
    assert group.wait(119) is None
    group.say(both(step(3)))
    assert group.wait(200) == pytest.approx(120, abs=2 * LOOK)


def test_a_rank_that_waits_for_one_that_saves_for_ever_is():
    group = Group(world=2, stall=600.0)
    group.say(both(*TRAINING, step(1), *STEADY, step(2), begin("save")))
    group.say({1: [end("save")]})
    assert group.wait(700) == pytest.approx(600, abs=2 * LOOK)


def test_a_rank_that_waits_for_one_in_its_first_step_is_no_stall():
    group = Group(world=2, stall=600.0)
    group.say(both(*TRAINING))
    group.say({0: [step(1), *STEADY]})
    assert group.wait(500) is None


def test_after_training_the_specs_limit_holds():
    group = Group(stall=600.0).train(1, 1)
    group.say({0: [end("steady"), end("train")]})
    assert group.wait(700) == pytest.approx(600, abs=2 * LOOK)


def test_without_a_limit_only_training_is_watched():
    assert Group(stall=None).wait(24 * HOURS) is None
    assert Group(stall=None).train(1, 1).wait(130) is not None


@pytest.mark.parametrize("last", [DONE, failure()])
def test_a_rank_that_has_ended_is_no_stall(last):
    group = Group().train(1, 1)
    group.say({0: [last]})
    assert group.wait(24 * HOURS) is None


def test_one_rank_of_many_is_told_though_the_others_go_on():
    group = Group(world=2)
    group.say({rank: [*TRAINING, step(1), *STEADY] for rank in (0, 1)})
    for number in range(2, 200):
        group.wait(1)
        group.say({0: [step(number)]})
    assert group.watch.stalled().rank == 1


def test_a_rank_that_has_never_said_anything_is_one_of_the_group():
    group = Group(stall=600.0)
    group.say({0: [start(2)]})
    for _ in range(7):
        assert group.watch.stalled() is None
        group.wait(100)
        group.say({0: [begin("data")]})
    assert group.watch.stalled().rank == 1
    assert Watch(600.0).stalled() is None


def test_a_group_of_which_nothing_was_heard_stalls_too():
    watch = Watch(600.0)
    for _ in range(601):
        watch.look([], 1.0)
    assert watch.stalled().rank == 0


def test_ranks_that_wait_for_rows_that_one_of_them_makes_are_no_stall():
    data = {"event": "begin", "phase": "data", "clock": 0.0}
    watch = Watch(100.0)
    watch.look([(0, start(2)), (0, data), (1, data)], 0.0)
    for done in range(50):
        watch.look([(1, {"event": "progress", "done": done, "total": 50, "clock": 0.0})], 4.0)
    assert watch.stalled() is None
    for _ in range(26):
        watch.look([], 4.0)
    assert watch.stalled()


def test_time_in_a_queue_counts_for_nothing():
    group = Group(stall=600.0)
    group.wait(599)
    group.watch.wait()
    assert group.wait(599) is None


def test_time_in_which_everything_was_suspended_counts_for_nothing():
    group = Group().train(1, 1, 1)
    group.watch.look([], 10 * HOURS)
    assert group.watch.stalled() is None
    assert group.wait(200) == pytest.approx(120 - AWAKE, abs=2 * LOOK)
