"""What a rank writes down of its phases and steps."""

from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ranks import logged, rank, train

from benchspec.results import events
from benchspec.worker import device


def test_training_has_a_first_step_and_a_steady_state(tmp_path):
    train(rank(tmp_path))
    found = [(e["event"], e.get("phase", e.get("step"))) for e in events.read(tmp_path / "rank-0.jsonl")]
    assert found == [
        ("begin", "train"),
        ("begin", "first-step"),
        ("arithmetic", None),
        ("step", 1),
        ("end", "first-step"),
        ("begin", "steady"),
        ("step", 2),
        ("end", "steady"),
        ("end", "train"),
        # What is saved and proven after training is not part of its peaks.
        ("memory", None),
    ]


def test_a_phase_that_an_exception_leaves_stays_open(tmp_path):
    job = rank(tmp_path)
    with pytest.raises(ZeroDivisionError), job.phase("train"):
        raise ZeroDivisionError
    assert job.open == ["train", "first-step"]


@pytest.mark.parametrize("name", ["warmup", "data"])
def test_a_recipe_enters_phases_of_its_own_alone(tmp_path, name):
    with pytest.raises(ValueError, match=rf"'{name}' is no phase of a recipe \(shard, train, save\)"):
        rank(tmp_path).phase(name)


def test_a_step_belongs_to_training(tmp_path):
    with pytest.raises(RuntimeError, match=r"outside of job.phase\('train'\)"):
        rank(tmp_path).step(8, 80, 96, 40, 1.0, 1.0)


def test_a_loss_that_is_not_finite_is_null_in_the_log(tmp_path):
    job = rank(tmp_path)
    with pytest.raises(RuntimeError, match="the loss of step 1 was not finite"):
        train(job, losses=(float("nan"),))
    assert job.open == ["train"], "the phase in which it failed"
    (step,) = logged(tmp_path, "step")
    assert step["loss"] is None


def test_a_phase_ends_with_all_that_is_open_within_it(tmp_path):
    job = rank(tmp_path)
    with job.phase("train"):
        job.step(8, 80, 96, 40, 1.0, 1.0)
        with suppress(OSError), job.phase("save"):
            raise OSError("a checkpoint that the recipe can do without")
    assert [event["phase"] for event in logged(tmp_path, "end")] == ["first-step", "save", "steady", "train"]
    assert job.open == []


def test_a_save_that_failed_ends_before_the_next_step(tmp_path):
    job = rank(tmp_path)
    with job.phase("train"):
        with suppress(OSError), job.phase("save"):
            raise OSError("a checkpoint that the recipe can do without")
        job.step(8, 80, 96, 40, 1.0, 1.0)
    names = [(event["event"], event.get("phase")) for event in events.read(tmp_path / "rank-0.jsonl")]
    assert names[2:7] == [
        ("begin", "save"),
        ("end", "save"),
        ("arithmetic", None),
        ("step", None),
        ("end", "first-step"),
    ]


def test_a_step_that_cannot_be_is_refused_and_not_recorded(tmp_path):
    job = rank(tmp_path)
    with pytest.raises(TypeError, match=r"the recipe 'mine' reports rows as 8\.0, a float64"), job.phase("train"):
        job.step(np.float64(8), 80, 96, 40, 1.0, 1.0)
    assert logged(tmp_path, "step") == []


def test_a_step_says_go_on(tmp_path):
    job = rank(tmp_path)
    with job.phase("train"):
        assert job.step(8, 80, 96, 40, 1.0, 1.0) is True


def test_a_batch_is_padded_with_end_of_sequence_where_the_tokenizer_has_no_padding(tmp_path):
    job = rank(tmp_path)
    job.tokenizer = SimpleNamespace(pad_token_id=None, eos_token_id=9)
    batch = job.collate([{"input_ids": np.array([4, 5, 9], np.int32), "prompt": 1}, {"input_ids": [9], "prompt": 0}])
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[4, 5, 9], [9, 9, 9]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "labels": [[-100, 5, 9], [9, -100, -100]],
    }


def test_training_is_proven_from_where_it_began_and_not_from_how_the_model_was_built(tmp_path):
    job = rank(tmp_path)
    with torch.no_grad():
        job.model.weight += 1
    with job.phase("train"):
        pass
    assert torch.equal(job.before["weight"], job.model.weight.flatten())


def test_what_is_queued_on_an_accelerator_ends_before_training_begins_and_before_it_ends(tmp_path, monkeypatch):
    job, order = rank(tmp_path), []
    for name in ("finish_work", "reset_memory_peaks", "joules"):
        monkeypatch.setattr(device, name, lambda *args, name=name: order.append(name))
    log = job.log.add
    monkeypatch.setattr(
        job.log, "add", lambda kind, **more: order.append((kind, more.get("phase"))) or log(kind, **more)
    )
    with job.phase("train"):
        order.append("trained")
    assert order[:4] == ["finish_work", "reset_memory_peaks", "joules", ("begin", "train")]
    assert order[5:] == ["trained", "finish_work", ("end", "first-step"), ("end", "train"), "joules", ("memory", None)]
