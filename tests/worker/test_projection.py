"""The time of a whole training, from its first steps and the work of all of them."""

import pytest

np = pytest.importorskip("numpy")

from benchspec.worker import projection


def drawn(seed, steps=600, noise=0.03):
    """(work, seconds) of the steps of a training: linear, with independent noise."""
    draw = np.random.default_rng(seed)
    work = draw.gamma(6, 100, steps)
    return work, (0.1 + 0.001 * work) * (1 + draw.normal(0, noise, steps))


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


def drift(seed, steps):
    """Noise of which each octave of frequencies has the same share, as machines have it."""
    draw = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(4 * steps)[1:]
    real, imaginary = draw.normal(size=(2, len(frequencies))) / np.sqrt(frequencies)
    noise = np.fft.irfft(np.concatenate(([0], real + 1j * imaginary)))[:steps]
    return 0.03 * noise / noise.std()


def test_the_interval_holds_what_the_steps_really_take_on_a_machine_that_drifts():
    held = 0
    for seed in range(400):
        work, seconds = drawn(seed, noise=0.0)
        seconds *= 1 + drift(seed, len(seconds))
        found = projection.project(seconds[:120], work)
        held += abs(seconds[120:].sum() - found.seconds) <= found.half
    assert 0.92 <= held / 400 <= 0.99


def test_independent_noise_makes_it_wider_than_it_had_to_be():
    for seed in range(100):
        work, seconds = drawn(seed)
        found = projection.project(seconds[:120], work)
        assert abs(seconds[120:].sum() - found.seconds) <= found.half
