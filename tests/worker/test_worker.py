"""One rank of one case: what it counts, proves and says of what went wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from benchspec.results import events
from benchspec.results.events import EventLog
from benchspec.terms.errors import BenchspecError
from benchspec.worker.__main__ import Rank, _tell_failure
from benchspec.worker.failure import outcome_of, reason_of
from benchspec.worker.proof import learnt, snapshot


def rank(folder):
    return Rank(case=None, folder=folder, log=EventLog(folder, 0), rank=0, world=1, model=torch.nn.Linear(2, 2))


def train(job, losses=(2.0, 1.0), grad_norm=1.0, learn=0.1):
    with job.phase("train"):
        for loss in losses:
            job.step(8, 80, 96, 40, loss, grad_norm)
        with torch.no_grad():
            job.model.weight += learn
    return job


def proven(job):
    return learnt(job.model, job.before, job.steps)


def logged(folder):
    return [(e["event"], e.get("phase", e.get("step"))) for e in events.read(folder / "rank-0.jsonl")]


def test_training_has_a_first_step_and_a_steady_state(tmp_path):
    train(rank(tmp_path))
    assert logged(tmp_path) == [
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


def test_a_model_that_learnt_proves_it(tmp_path):
    proof = proven(train(rank(tmp_path)))
    assert proof == {
        "finite_losses": True,
        "grad_norm_nonzero": True,
        "parameters_changed": 1,
        "parameters_checked": 2,
        "dtype": "float32",
    }


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"losses": ()}, "reported no optimizer step"),
        ({"losses": (1.0, float("nan"))}, "the loss was not finite"),
        ({"losses": (float("inf"), 1.0)}, "the loss was not finite"),
        ({"grad_norm": 0.0}, "the gradient was zero"),
        ({"grad_norm": None}, "or never reported"),
        ({"grad_norm": float("nan")}, "the gradient was zero, or never"),
        ({"learn": 0.0}, r"training changed 0 of 2 parameters"),
        ({"learn": float("nan")}, "values in weight that are not finite"),
    ],
)
def test_a_model_that_did_not_learn_is_no_result(tmp_path, training, reason):
    with pytest.raises(RuntimeError, match=reason):
        proven(train(rank(tmp_path), **training))


def test_a_model_of_which_one_part_learnt_is_no_result(tmp_path):
    job = rank(tmp_path)
    job.model = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in range(3)))
    with job.phase("train"):
        job.step(8, 80, 96, 40, 1.0, 1.0)
        with torch.no_grad():
            job.model[0].weight += 1
    with pytest.raises(RuntimeError, match="training changed 1 of 3 parameters"):
        proven(job)


def test_a_loss_that_is_not_finite_is_null_in_the_log(tmp_path):
    train(rank(tmp_path), losses=(float("nan"),))
    (step,) = [event for event in events.read(tmp_path / "rank-0.jsonl") if event["event"] == "step"]
    assert step["loss"] is None


def test_a_snapshot_is_a_copy_of_a_few_values():
    layer = torch.nn.Linear(100, 100)
    before = snapshot(layer)
    with torch.no_grad():
        layer.weight += 1
    assert 64 <= before["weight"].numel() < 200
    assert not torch.equal(before["weight"], snapshot(layer)["weight"])
    layer.bias.requires_grad = False
    assert list(snapshot(layer)) == ["weight"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "oom"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "oom"),
        (RuntimeError("[gloo] Timed out waiting 1800000ms for recv operation to complete"), "hang"),
        (RuntimeError("Connection closed by peer"), "crash"),
        (ValueError("no"), "crash"),
        (SystemExit(0), "crash"),
        (BenchspecError("row 3: no key 'output'"), "crash"),
    ],
)
def test_what_was_raised_says_the_outcome(error, outcome):
    assert outcome_of(error) == outcome


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("\n no \nat all"), "ValueError: no"),
        (KeyError(), "KeyError: no message"),
        (BenchspecError("rows.json: row 3: no key 'output'"), "rows.json: row 3: no key 'output'"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason


def test_a_mistake_is_a_line_in_the_log_and_anything_else_a_traceback(tmp_path, capsys):
    _tell_failure(rank(tmp_path), BenchspecError("row 3: no key 'output'"))
    assert capsys.readouterr().err == "error: row 3: no key 'output'\n"
    _tell_failure(rank(tmp_path), ValueError("no"))
    assert "ValueError: no" in capsys.readouterr().err
    first, second = [e for e in events.read(tmp_path / "rank-0.jsonl") if e["event"] == "failure"]
    assert (first["mistake"], second["mistake"]) == (True, False)


def test_a_failure_that_cannot_be_written_raises_nothing():
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    _tell_failure(SimpleNamespace(log=SimpleNamespace(add=full), open=[]), BenchspecError("no"))
