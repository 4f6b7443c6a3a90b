"""The time of a whole training, from its first steps and the work of all of them."""

import pytest

np = pytest.importorskip("numpy")

from benchspec.worker import projection


def drawn(seed, steps=600, noise=0.03, correlation=0.0):
    """(work, seconds) of the steps of a training: linear, with noise of which neighbours have some in common."""
    draw = np.random.default_rng(seed)
    work = draw.gamma(6, 100, steps)
    shocks = draw.normal(0, noise * np.sqrt(1 - correlation**2), steps)
    errors = np.empty(steps)
    last = draw.normal(0, noise)
    for place, shock in enumerate(shocks):
        errors[place] = last = correlation * last + shock
    return work, (0.1 + 0.001 * work) * (1 + errors)


def test_steps_that_take_as_long_as_their_work_says_are_projected_exactly():
    work, seconds = drawn(1, noise=0.0)
    found = projection.project(seconds[:60], work)
    assert found.seconds == pytest.approx(seconds[60:].sum(), rel=1e-9)
    assert found.half < 1e-9 * found.seconds


def test_too_few_steps_project_nothing():
    work, seconds = drawn(1)
    assert projection.project(seconds[:15], work) is None


def test_nothing_is_left_after_the_last_step():
    work, seconds = drawn(1)
    assert projection.project(seconds, work) is None


def test_steps_whose_work_is_not_known_count_as_alike():
    _, seconds = drawn(1, noise=0.0)
    found = projection.project(seconds[:100], np.ones(600))
    assert found.seconds == pytest.approx(500 * seconds[found.warmup_steps : 100].mean())


def test_slow_first_steps_are_a_warm_up():
    work, seconds = drawn(1)
    seconds[:7] *= np.linspace(4, 1.5, 7)
    found = projection.project(seconds[:100], work)
    assert 5 <= found.warmup_steps <= 12
    assert found.seconds == pytest.approx(seconds[100:].sum(), rel=0.02)


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_the_interval_holds_what_the_steps_really_take(correlation):
    held = 0
    for seed in range(400):
        work, seconds = drawn(seed, correlation=correlation)
        found = projection.project(seconds[:120], work)
        held += abs(seconds[120:].sum() - found.seconds) <= found.half
    assert 0.92 <= held / 400 <= 0.99
