"""The Alpaca recipe is the paper's process, and says what it does."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import TRAIN, DrivenJob, as_data, backend_class, create, make_rows, small_tokenizer, tiny

from benchspec import Backend
from benchspec.worker.data.batches import collate
from benchspec_plugins.recipes.alpaca import Alpaca
from benchspec_plugins.recipes.as_trainer import shuffled_rows

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def job(folder: Path, rows: int = 21, **train: Any) -> DrivenJob:
    from types import SimpleNamespace

    case = SimpleNamespace(train={**TRAIN, **train})
    single = create(backend_class("single"), {})
    return DrivenJob(case, tiny("opt"), small_tokenizer(), as_data(make_rows(rows)), single, folder)


def column(job: DrivenJob, name: str) -> list[Any]:
    return [step[name] for step in job.steps]


def bare_losses(folder: Path, rows: int, **settings: Any) -> list[float]:
    """The losses of a Trainer script that knows nothing of benchspec."""
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=1e-3,
        warmup_steps=0.03,
        lr_scheduler_type="cosine",
        optim="adamw_torch",
        logging_steps=1,
        report_to="none",
        remove_unused_columns=False,
        use_cpu=True,
        dataloader_pin_memory=False,
        save_strategy="no",
        **settings,
    )
    pad = partial(collate, pad_id=1)
    trainer = Trainer(model=tiny("opt"), args=arguments, train_dataset=as_data(make_rows(rows)), data_collator=pad)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_the_templates_are_alpacas() -> None:
    if not (SHARED / "data").exists():
        pytest.skip(f"{SHARED} is not here, which holds Alpaca's templates")
    assert json.loads((SHARED / "data" / "alpaca_prompts.json").read_text()) == Alpaca.templates


@pytest.mark.parametrize("epoch", [0, 3])
def test_rows_come_in_the_order_of_trainers_own_sampler(epoch: int) -> None:
    import torch
    from accelerate.data_loader import SeedableRandomSampler

    theirs = SeedableRandomSampler(range(150_000), generator=torch.Generator(), data_seed=42)
    ours = shuffled_rows(150_000, 42)
    theirs.set_epoch(epoch)
    ours.set_epoch(epoch)
    assert list(ours) == list(theirs)
    assert list(ours) == list(theirs), "the next epoch's order differs"
    assert len(ours) == 150_000


PAPER = {"batch_size": 4, "gradient_accumulation": 8, "epochs": 3, "max_steps": None}


@pytest.mark.parametrize(
    ("rows", "world", "train", "steps"),
    [
        (52_002, 8, {}, 612),
        (52_002, 8, {"max_steps": 20}, 20),
        (52_002, 8, {"epochs": 1}, 204),
        (1, 8, {}, 3),
        (32, 1, {"epochs": 1}, 1),
        (33, 1, {"epochs": 1}, 2),
    ],
)
def test_steps_are_counted_as_trainer_counts_them(rows, world, train, steps):
    assert Alpaca({}).steps(rows, PAPER | train, world) == steps


@pytest.mark.slow
def test_losses_are_those_of_a_bare_trainer(tmp_path: Path) -> None:
    ours = job(tmp_path / "ours", epochs=2)
    Alpaca({}).train(ours)
    assert column(ours, "loss") == bare_losses(tmp_path / "bare", 21)


@pytest.mark.slow
def test_steps_count_rows_tokens_positions_and_labels(tmp_path: Path) -> None:
    done = job(tmp_path, epochs=2)
    Alpaca({}).train(done)
    lengths = [len(row) for row in make_rows(21)]
    assert len(done.steps) == 2 * math.ceil(21 / 4)
    assert sum(column(done, "rows")) == 2 * 21
    assert sum(column(done, "tokens")) == 2 * sum(lengths)
    assert sum(column(done, "loss_tokens")) == 2 * sum(length - 3 for length in lengths)
    assert all(2 * step["tokens"] > step["padded"] >= step["tokens"] for step in done.steps)


@pytest.mark.slow
def test_the_train_phase_lasts_as_long_as_trainer_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    metrics: dict[str, float] = {}
    log = Trainer.log

    def kept(self: Any, logs: dict[str, float], *args: Any) -> None:
        metrics.update(logs)
        log(self, logs, *args)

    monkeypatch.setattr(Trainer, "log", kept)
    done = job(tmp_path, save={"final": True, "every": None, "keep": None})
    Alpaca({}).train(done)
    assert list(done.phases) == ["shard", "train", "save"]
    # Trainer rounds its figure to a tenth of a millisecond.
    assert done.phases["train"] == pytest.approx(metrics["train_runtime"], abs=0.005)


@pytest.mark.slow
def test_nothing_is_said_on_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Alpaca({}).train(job(tmp_path, rows=8))
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_a_step_that_says_enough_ends_the_training(tmp_path: Path) -> None:
    done = job(tmp_path, epochs=3)
    done.stop_after = 2
    Alpaca({}).train(done)
    assert len(done.steps) == 2
    assert list(done.phases) == ["shard", "train"]


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_reported(tmp_path: Path) -> None:
    import torch

    done = job(tmp_path, max_steps=2)
    with torch.no_grad():
        done.model.lm_head.weight.fill_(math.nan)
    Alpaca({}).train(done)
    assert all(math.isnan(loss) for loss in column(done, "loss"))


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "moved"), [(1, False), (2, True)])
def test_warm_up_makes_the_first_step_change_nothing(tmp_path: Path, steps: int, moved: bool) -> None:
    import torch

    done = job(tmp_path, max_steps=steps)
    before = [parameter.detach().clone() for parameter in done.model.parameters()]
    Alpaca({}).train(done)
    same = [torch.equal(*pair) for pair in zip(before, done.model.parameters(), strict=True)]
    assert all(same) is not moved


class Unproven(Backend):
    name = "unproven"

    def prove(self, model: Any) -> dict[str, Any]:
        raise RuntimeError("not spread as asked")


@pytest.mark.slow
def test_a_checkpoint_is_saved_when_it_is_due_and_not_after_the_last_step(tmp_path: Path) -> None:
    done = job(tmp_path, epochs=1, save={"final": False, "every": 4, "keep": None})
    Alpaca({}).train(done)
    assert len(done.steps) == 6
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-4"]
    assert done.trail == [("shard", 0, 0), ("train", 0, 6), ("save", 4, 4)]


@pytest.mark.slow
def test_a_failure_leaves_through_the_phase_that_it_happened_in(tmp_path: Path) -> None:
    unspread = job(tmp_path)
    unspread.backend = Unproven({})
    with pytest.raises(RuntimeError, match="not spread as asked"):
        Alpaca({}).train(unspread)
    assert unspread.broken == ["shard"]

    broken = job(tmp_path)
    broken.data[5] = {"input_ids": broken.data[5]["input_ids"]}
    with pytest.raises(KeyError, match="prompt"):
        Alpaca({}).train(broken)
    assert broken.broken == ["train"]
    assert list(broken.phases) == ["shard"]
