"""A rank's sign of life."""

from __future__ import annotations

import json
import os
import time

import pytest

pytest.importorskip("torch")

from ranks import rank

from benchspec.machine.process import STACKS
from benchspec.worker import pulse


@pytest.fixture
def job(tmp_path):
    """A rank whose pulse is quick."""
    job = rank(tmp_path)
    pulse.start(job, interval=0.01)
    return job


def read(folder):
    text = (folder / "pulse-0.json").read_bytes()
    return json.loads(text) if text else {}


def until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_it_says_phase_and_step_as_they_change(tmp_path, job):
    assert until(lambda: read(tmp_path).get("step") == 0)
    assert read(tmp_path)["phase"] is None
    with job.phase("train"):
        job.step(8, 80, 96, 40, 2.0, 1.0)
        assert until(lambda: (read(tmp_path)["phase"], read(tmp_path)["step"]) == ("steady", 1))
        since = read(tmp_path)["since"]
        # It goes on while the rank does not.
        assert until(lambda: read(tmp_path)["clock"] > since + 0.05)
        assert read(tmp_path)["since"] == since
        assert time.monotonic() - read(tmp_path)["clock"] < 1


def test_cpu_time_tells_who_computes(tmp_path, job):
    assert until(lambda: read(tmp_path))
    used, end = read(tmp_path)["cpu"], time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert until(lambda: read(tmp_path)["cpu"] > used + 0.15)


def test_at_the_signal_it_writes_the_stacks_of_all_threads(tmp_path, job):
    assert (tmp_path / "stacks-0.txt").read_text() == ""
    os.kill(os.getpid(), STACKS)
    assert until(lambda: "pulse.py" in (text := (tmp_path / "stacks-0.txt").read_text()) and "test_pulse.py" in text)


def test_every_pulse_has_the_same_length(tmp_path, job):
    lengths = {len(pulse._line(*here, 1e9, 1e6, 1e9, 1e6)) for here in [("first-step", 10**9), (None, 0)]}
    assert lengths == {pulse.SIZE}
