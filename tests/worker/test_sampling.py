"""When a sampled training stops, and what it then tells."""

import pytest

np = pytest.importorskip("numpy")

from benchspec.worker import sampling


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(sampling, "time", made)
    return made


def run(clock, sampler, times, saves=()):
    """What the sampler tells, and after how many steps; `saves` are the steps after which a second is spent saving."""
    sampler.enter("train")
    for number, seconds in enumerate(times, start=1):
        clock.now += seconds
        if told := sampler.step():
            return told, number
        if number in saves:
            sampler.enter("save")
            clock.now += 1.0
            sampler.leave("save")
    return None, len(times)


def test_even_steps_are_known_at_the_first_look(clock):
    told, steps = run(clock, sampling.Sampler(np.ones(500), 0.02, None, int), [0.2] * 500)
    assert steps == sampling.FIRST_LOOK
    assert told["seconds"] == pytest.approx(0.2 * (500 - steps))
    assert told["low"] == pytest.approx(told["high"])


def test_uneven_steps_take_longer_to_know_and_finer_precision_longer_still(clock):
    times = 0.2 * np.random.default_rng(3).lognormal(0, 0.2, 5000)
    _, coarse = run(clock, sampling.Sampler(np.ones(5000), 0.04, None, int), times)
    told, fine = run(clock, sampling.Sampler(np.ones(5000), 0.02, None, int), times)
    assert sampling.FIRST_LOOK < coarse < fine < 5000
    assert told["low"] < times[fine:].sum() < told["high"]


def test_steps_too_uneven_for_the_precision_all_run(clock):
    times = np.random.default_rng(3).lognormal(0, 1, 100)
    assert run(clock, sampling.Sampler(np.ones(100), 0.001, None, int), times) == (None, 100)


def test_no_training_is_sampled_that_is_over_before_the_first_look(clock):
    assert run(clock, sampling.Sampler(np.ones(12), 0.02, None, int), [0.2] * 12) == (None, 12)


def test_saves_to_come_are_added(clock):
    saves = range(20, 501, 20)
    told, steps = run(clock, sampling.Sampler(np.ones(500), 0.02, 20, int), [0.2] * 500, saves)
    assert steps == sampling.FIRST_LOOK
    assert told["seconds"] == pytest.approx(0.2 * (500 - steps) + 24 * 1.0)


def test_a_checkpoint_that_is_due_after_the_last_step_that_runs_is_still_to_come(clock):
    """The first look is after 30 steps, of which the last is not followed by its checkpoint any more."""
    told, steps = run(clock, sampling.Sampler(np.ones(500), 0.02, 10, int), [0.2] * 500, range(10, 501, 10))
    assert steps == sampling.FIRST_LOOK
    assert told["seconds"] == pytest.approx(0.2 * (500 - steps) + 48 * 1.0)


def test_a_checkpoint_is_asked_for_early_where_none_is_due_soon(clock):
    sampler = sampling.Sampler(np.ones(5000), 0.02, 2000, int)
    sampler.enter("train")
    for _ in range(sampling.FIRST_LOOK):
        clock.now += 0.2
        assert sampler.step() is None
    assert [sampler.saves_early(), sampler.saves_early()] == [True, False]
    told, steps = run(clock, sampler, [0.2] * 50, saves=[1])
    assert not sampler.saves_early()
    # Two are due later; one of the time that is gone was spent on a checkpoint that was not.
    assert told["seconds"] == pytest.approx(0.2 * (5000 - sampling.FIRST_LOOK - steps) + (2 - 1) * 1.0)


def test_what_is_left_takes_no_less_than_no_time(clock):
    times = np.random.default_rng(3).lognormal(0, 1.5, 100)
    told, _ = run(clock, sampling.Sampler(np.ones(100), 0.5, None, int), times)
    assert 0 <= told["low"] < told["seconds"] < told["high"]


def test_all_ranks_do_what_the_first_has_decided(clock):
    asked = []

    def never(decided):
        asked.append(decided)
        return sampling.GO_ON

    assert run(clock, sampling.Sampler(np.ones(60), 0.02, None, never), [0.2] * 60) == (None, 60)
    assert len(asked) > 3
    assert set(asked) == {sampling.STOP}


def test_one_process_decides_for_itself():
    assert sampling.agreed(1, None)(sampling.STOP) == sampling.STOP


def test_without_a_group_no_rank_stops_alone():
    pytest.importorskip("torch")
    assert sampling.agreed(2, None)(sampling.STOP) == sampling.GO_ON
