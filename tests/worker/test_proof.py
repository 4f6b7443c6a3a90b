"""A model that did not learn is no result."""

import pytest

torch = pytest.importorskip("torch")

from ranks import rank, train

from benchspec.kinds.bases import Backend
from benchspec.worker.proof import Steps, learned, snapshot


def proven(job):
    return learned(job.steps, job.before, snapshot(job.model, job.backend.local))


def test_a_model_that_learned_proves_it(tmp_path):
    proof = proven(train(rank(tmp_path)))
    assert proof == {
        "finite_losses": True,
        "grad_norm_nonzero": True,
        "parameters_changed": 1,
        "parameters_checked": 2,
    }


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"losses": ()}, "reported no optimizer step"),
        ({"losses": (1.0, float("nan"), 1.0)}, "the loss of step 2 was not finite, so the model did not learn$"),
        ({"losses": (float("inf"), 1.0)}, "the loss of step 1 was not finite"),
        ({"grad_norm": 0.0}, "the gradient was zero"),
        ({"grad_norm": None}, "or never reported"),
        ({"grad_norm": float("nan")}, "the gradient of step 1 was not finite"),
        ({"grad_norm": float("inf")}, "the gradient of step 1 was not finite"),
        ({"learn": 0.0}, r"training changed 0 of 2 parameters"),
        ({"learn": float("nan")}, "values in weight that are not finite"),
    ],
)
def test_a_model_that_did_not_learn_is_no_result(tmp_path, training, reason):
    with pytest.raises(RuntimeError, match=reason):
        proven(train(rank(tmp_path), **training))


def test_a_model_of_which_one_part_learned_is_no_result(tmp_path):
    job = rank(tmp_path)
    job.model = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in range(3)))
    with job.phase("train"):
        job.step(8, 80, 96, 40, 1.0, 1.0)
        with torch.no_grad():
            job.model[0].weight += 1
    with pytest.raises(RuntimeError, match="training changed 1 of 3 parameters"):
        proven(job)


def test_a_snapshot_is_a_copy_of_a_few_values():
    layer = torch.nn.Linear(100, 100)
    whole = Backend({}).local
    before = snapshot(layer, whole)
    with torch.no_grad():
        layer.weight += 1
    assert 64 <= before["weight"].numel() < 200
    assert not torch.equal(before["weight"], snapshot(layer, whole)["weight"])
    layer.bias.requires_grad = False
    assert list(snapshot(layer, whole)) == ["weight"]


class Halves(Backend):
    """Of every tensor with two rows or more, this rank keeps the first half; smaller ones are on other ranks."""

    name = "halves"

    def local(self, parameter):
        return parameter[: len(parameter) // 2]


def test_a_rank_samples_its_own_part_of_each_parameter():
    layer = torch.nn.Linear(4, 2)
    found = snapshot(layer, Halves({}).local)
    assert torch.equal(found["weight"], layer.weight[0])
    assert torch.equal(found["bias"], layer.bias[:1])


def test_a_parameter_of_which_a_rank_has_nothing_proves_nothing():
    assert list(snapshot(torch.nn.Linear(4, 1), Halves({}).local)) == []


def test_a_step_without_an_answer_is_named_where_the_loss_is_not_finite(tmp_path):
    job = rank(tmp_path)
    with pytest.raises(
        RuntimeError, match=r"; this rank had no answer within train\.max_length: raise train\.max_length"
    ):
        train(job, losses=(float("nan"),), loss_tokens=0)


def test_the_only_step_may_have_had_no_learning_rate():
    steps, values = Steps(), {"weight": torch.ones(4)}
    steps.add(1.0)
    said = r"changed 0 of 1 parameters.*; in the only step, a warm-up's learning rate is 0"
    with pytest.raises(RuntimeError, match=said):
        learned(steps, values, values)
