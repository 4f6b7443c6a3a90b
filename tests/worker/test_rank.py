"""What a rank writes down of its phases and steps."""

import pytest

torch = pytest.importorskip("torch")

from ranks import logged, rank, train

from benchspec.results import events


def test_training_has_a_first_step_and_a_steady_state(tmp_path):
    train(rank(tmp_path))
    found = [(e["event"], e.get("phase", e.get("step"))) for e in events.read(tmp_path / "rank-0.jsonl")]
    assert found == [
        ("begin", "train"),
        ("begin", "first-step"),
        ("step", 1),
        ("end", "first-step"),
        ("begin", "steady"),
        ("step", 2),
        ("end", "steady"),
        ("end", "train"),
    ]


def test_a_phase_that_an_exception_leaves_stays_open(tmp_path):
    job = rank(tmp_path)
    with pytest.raises(ZeroDivisionError), job.phase("train"):
        raise ZeroDivisionError
    assert job.open == ["train", "first-step"]


def test_phases_are_those_that_there_are(tmp_path):
    with pytest.raises(ValueError, match="no phase is called 'warmup'"), rank(tmp_path).phase("warmup"):
        pass


def test_a_step_belongs_to_training(tmp_path):
    with pytest.raises(RuntimeError, match=r"outside of job.phase\('train'\)"):
        rank(tmp_path).step(8, 80, 96, 40, 1.0, 1.0)


def test_a_loss_that_is_not_finite_is_null_in_the_log(tmp_path):
    train(rank(tmp_path), losses=(float("nan"),))
    (step,) = logged(tmp_path, "step")
    assert step["loss"] is None
