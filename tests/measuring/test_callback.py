"""A script with `transformers.Trainer`, measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from trained import main, trainer_of
from transformers import TrainerCallback

from benchspec import BenchspecError, Results
from benchspec.results import evidence

HERE = Path(__file__).parent


def events(folder, kind, rank=0):
    (attempt, *_) = sorted(folder.glob("cases/training/*/*"))
    return [event for event in evidence.read(attempt).of(rank) if event["event"] == kind]


def test_a_training_becomes_a_run_directory(tmp_path):
    folder = tmp_path / "mine"
    main(folder, 10)
    (result,) = Results.load(folder)
    assert (result.experiment, result.outcome, result.launch, result.axes) == (
        "training",
        "ok",
        1,
        {"model": "OPTForCausalLM"},
    )
    # 10 rows are 5 micro-batches and 3 steps an epoch, the last of them of one micro-batch.
    assert [event["rows"] for event in events(folder, "step")] == [4, 4, 2] * 2
    metrics = result.numbers
    assert (metrics["steps"], metrics["planned_steps"], metrics["dataset_rows"]) == (6, 6, 10)
    assert metrics["rows_per_second"] > 0 and metrics["train_runtime"] > 0 and metrics["first_loss"] > 0
    # What a callback cannot see is absent.
    assert not {"tokens_per_second", "final_loss", "mfu", "dataset_words"} & set(metrics)
    assert result.proof["finite_losses"] and result.proof["parameters_changed"] > 10
    assert result.record["processes"] == 1 and result.record["libraries"]["torch"]
    assert "OPTForCausalLM" in Results.load(folder).report("table")


@pytest.mark.slow
def test_the_last_micro_batch_of_an_epoch_may_be_smaller(tmp_path):
    main(tmp_path / "mine", 7)
    assert [event["rows"] for event in events(tmp_path / "mine", "step")] == [4, 3] * 2


@pytest.mark.slow
def test_a_further_training_is_a_further_launch_and_other_settings_another_case(tmp_path):
    folder = tmp_path / "mine"
    main(folder, 4)
    main(folder, 4)
    main(folder, 4, learning_rate=2e-2)
    found = Results.load(folder)
    assert [each.launch for each in found] == [1, 2, 1] and len({each.case for each in found}) == 2
    assert found.as_expected() and found.missing() == []
    text = found.report("table")
    assert "every case: backend" in text and "batch_size 2" in text
    assert [line.split()[1] for line in text.splitlines() if line.startswith("OPTForCausalLM")] == ["0.01", "0.02"]


@pytest.mark.slow
def test_a_training_that_goes_on_from_a_checkpoint_is_another_case(tmp_path):
    folder = tmp_path / "mine"
    # 7 rows are 4 micro-batches and 2 steps an epoch, the second of 3 rows.
    main(folder, 7, num_train_epochs=3, save_strategy="steps", save_steps=3)
    trainer = trainer_of(folder, 7, num_train_epochs=3)
    trainer.train(resume_from_checkpoint=f"{folder}-out/checkpoint-3")
    whole, rest = Results.load(folder)
    assert [whole.metrics["steps"], rest.metrics["steps"]] == [6, 3] and whole.case != rest.case
    (attempt,) = folder.glob(f"cases/training/{rest.case}/*")
    rows = [event["rows"] for event in evidence.read(attempt).of(0) if event["event"] == "step"]
    assert rows == [3, 4, 3]


def test_a_training_that_failed_is_followed_by_another_in_the_same_process(tmp_path):
    class Fails(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            raise ZeroDivisionError

    folder = tmp_path / "mine"
    failing = trainer_of(folder, 4)
    failing.add_callback(Fails())
    with pytest.raises(ZeroDivisionError):
        failing.train()
    main(folder, 4)
    assert [each.outcome for each in Results.load(folder)] == ["ok"]


def test_evaluations_and_saves_are_no_part_of_a_step(tmp_path):
    folder = tmp_path / "mine"
    main(folder, 8, eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=2)
    phases = [(event["event"], event["phase"]) for event in evidence_of(folder) if event["event"] in ("begin", "end")]
    assert phases.count(("begin", "evaluate")) == phases.count(("end", "evaluate")) == 4
    assert phases.count(("begin", "save")) == phases.count(("end", "save")) == 2
    (result,) = Results.load(folder)
    assert result.outcome == "ok" and result.metrics["phase_save"] > 0
    steps = Results.load(folder).steps(result)
    assert sum(step["seconds"] for step in steps) < result.metrics["train_runtime"] - result.metrics["phase_save"]


def evidence_of(folder):
    (attempt, *_) = sorted(folder.glob("cases/training/*/*"))
    return evidence.read(attempt).of(0)


@pytest.mark.slow
def test_losses_that_trainer_does_not_log_for_each_step_are_not_known(tmp_path):
    main(tmp_path / "mine", 8, logging_steps=2)
    assert [event["loss"] for event in events(tmp_path / "mine", "step")] == [None] * 4
    assert Results.load(tmp_path / "mine")[0].outcome == "ok"


@pytest.mark.slow
def test_tokens_are_known_where_trainer_counts_them(tmp_path):
    main(tmp_path / "mine", 8, include_num_input_tokens_seen="non_padding")
    assert {event["tokens"] for event in events(tmp_path / "mine", "step")} == {48}
    assert Results.load(tmp_path / "mine")[0].metrics["tokens_per_second"] > 0


@pytest.mark.slow
def test_a_model_that_does_not_learn_is_no_measurement(tmp_path):
    main(tmp_path / "mine", 8, learning_rate=0.0)
    (result,) = Results.load(tmp_path / "mine")
    assert result.outcome == "crash" and result.reason.startswith("training changed 0 of ")


def test_the_run_directory_of_a_spec_is_not_written_to(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "name": "x", "spec": {}}))
    from benchspec.trainer import Measure

    with pytest.raises(BenchspecError, match="is the run directory of a spec"):
        Measure(tmp_path)


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path):
    (tmp_path / "file").touch()
    from benchspec.trainer import Measure

    with pytest.raises(BenchspecError, match=r"cannot make .*/file/mine: Not a directory"):
        Measure(tmp_path / "file" / "mine")


@pytest.mark.slow
def test_a_training_that_an_exception_ended_does_not_stop_the_next_one(tmp_path):
    from trained import trainer_of

    trainer = trainer_of(tmp_path / "mine", 8)
    step, trainer.training_step = trainer.training_step, None
    with pytest.raises(TypeError):
        trainer.train()
    trainer.training_step = step
    trainer.train()
    assert [(each.outcome, each.launch) for each in Results.load(tmp_path / "mine")] == [("ok", 1)]


@pytest.mark.slow
def test_two_processes_are_measured_together(tmp_path):
    folder = tmp_path / "mine"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, HERE / "trained.py", folder, "16"], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = Results.load(folder)
    assert (result.outcome, result.record["processes"], result.metrics["steps"]) == ("ok", 2, 4)
    assert {event["rows"] for rank in (0, 1) for event in events(folder, "step", rank)} == {4}


@pytest.mark.slow
def test_a_batch_size_that_trainer_finds_is_the_one_that_counts(tmp_path):
    trainer = trainer_of(tmp_path / "mine", 8, auto_find_batch_size=True)

    def refuse(module, args, kwargs):
        if len(kwargs["input_ids"]) > 1:
            raise RuntimeError("CUDA out of memory.")

    trainer.model.register_forward_pre_hook(refuse, with_kwargs=True)
    trainer.train()
    failed, found = Results.load(tmp_path / "mine")
    assert (failed.outcome, found.outcome) == ("crash", "ok")
    (attempt,) = (tmp_path / "mine").glob(f"cases/training/{found.case}/*")
    rows = [event["rows"] for event in evidence.read(attempt).of(0) if event["event"] == "step"]
    assert rows == [2] * 8


FAILING = """
import sys
sys.path.insert(0, {here!r})
from trained import trainer_of

trainer = trainer_of({folder!r}, 8)
step, calls = trainer.training_step, []

def fail(*args, **kwargs):
    calls.append(1)
    if len(calls) > 4:
        {ends}
    return step(*args, **kwargs)

trainer.training_step = fail
trainer.train()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ("raise ValueError('my data is bad')", "ValueError: my data is bad"),
        ("sys.exit(3)", "the script ended before this training did"),
    ],
)
def test_what_ended_a_script_is_the_reason(tmp_path, ends, reason):
    """Trainer tells callbacks nothing of it."""
    folder = tmp_path / "mine"
    script = FAILING.format(here=str(HERE), folder=str(folder), ends=ends)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode
    (result,) = Results.load(folder)
    assert (result.outcome, result.phase) == ("crash", "steady") and reason in result.reason
