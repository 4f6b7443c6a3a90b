"""The plain loop does what the Alpaca recipe does, and any recipe can have a loop of its own."""

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import TRAIN, DrivenJob, as_data, backend_class, create, make_rows, small_tokenizer, tiny
from driving import column, drive

from benchspec import Backend, Engine
from benchspec_plugins.recipes.alpaca import Alpaca
from benchspec_plugins.recipes.loop import Loop

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"


class Bare(Backend):
    """A third party's backend for Trainer only, which asks for nothing."""

    name = "bare"

    def prove(self, model):
        return {"sharding": "none"}


class Own(Bare):
    """A third party's backend for loops only."""

    name = "own"

    def spread(self, model, optimizer, train):
        return Engine(model, optimizer(model), train)


def job(folder: Path, backend: Backend | None = None, rows: int = 21, **train: Any) -> DrivenJob:
    case = SimpleNamespace(train={**TRAIN, **train})
    backend = backend or create(backend_class("single"), {})
    return DrivenJob(case, tiny("opt"), small_tokenizer(), as_data(make_rows(rows)), backend, folder)


def steps(done: DrivenJob) -> list[Any]:
    return [list(step.values()) for step in done.steps]


@pytest.mark.slow
@pytest.mark.parametrize(
    "train",
    [
        {"epochs": 2, "lr_scheduler": "linear", "weight_decay": 0.5, "learning_rate": 0.02},
        {"epochs": 1.5, "warmup_ratio": 0.4, "max_grad_norm": 0.1},
        {"max_steps": 8, "batch_size": 3, "gradient_accumulation": 3},
        {"precision": "bf16", "activation_checkpointing": True, "lr_scheduler": "inverse_sqrt"},
        {"max_steps": 4, "optimizer": "adamw_fused", "weight_decay": 0.5},
        {"max_steps": 4, "optimizer": "adafactor", "weight_decay": 0.5},
    ],
    ids=["decay", "fraction", "max-steps", "bf16", "fused", "adafactor"],
)
def test_the_loop_does_what_trainer_does(tmp_path: Path, train: dict[str, Any]) -> None:
    loop, trainer = job(tmp_path, **train), job(tmp_path, **train)
    Loop({}).train(loop)
    Alpaca({}).train(trainer)
    assert len(loop.steps) == Loop({}).steps(21, loop.case.train, 1)
    assert steps(loop) == [pytest.approx(step, rel=1e-5) for step in steps(trainer)]


@pytest.mark.slow
def test_the_loop_goes_through_the_phases_and_keeps_the_newest_checkpoints(tmp_path: Path) -> None:
    done = job(tmp_path, epochs=2, save={"final": True, "every": 2, "keep": 2})
    Loop({}).train(done)
    checkpoints = [("save", step, step) for step in range(2, 13, 2)]
    assert done.trail == [("shard", 0, 0), ("train", 0, 12), *checkpoints, ("save", 12, 12)]
    assert len(done.steps) == 12
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-10", "checkpoint-12", "final"}


@pytest.mark.slow
def test_the_loop_stops_where_enough_is_known(tmp_path: Path) -> None:
    done = job(tmp_path, epochs=3)
    done.stop_after = 2
    Loop({}).train(done)
    assert len(done.steps) == 2
    assert list(done.phases) == ["shard", "train"]


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_reported(tmp_path: Path) -> None:
    import torch

    done = job(tmp_path, max_steps=2)
    with torch.no_grad():
        done.model.lm_head.weight.fill_(math.nan)
    Loop({}).train(done)
    assert all(math.isnan(step["loss"]) for step in done.steps)


@pytest.mark.slow
def test_a_backend_serves_the_recipes_whose_interface_it_has(tmp_path: Path) -> None:
    assert Bare.dialects() == {Alpaca.drives} == {"trainer"}
    assert Own.dialects() == {Loop.drives} == {"engine"}
    trainer, loop = job(tmp_path, Bare({})), job(tmp_path, Own({}))
    Alpaca({}).train(trainer)
    Loop({}).train(loop)
    assert steps(loop) == steps(trainer)


@pytest.mark.parametrize(("name", "both"), [("single", 1), ("ddp", None), ("fsdp", None), ("deepspeed", None)])
def test_every_backend_of_ours_serves_both_kinds_of_recipe(name: str, both: int | None) -> None:
    assert backend_class(name).dialects() == {"trainer", "engine"}
    assert backend_class(name).processes is both


@pytest.mark.slow
def test_the_example_of_the_page_trains_under_ddp(tmp_path: Path) -> None:
    example, entry = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = entry.split('"')[1]
    (tmp_path / f"{module}.py").write_text(example)
    tiny("opt").save_pretrained(tmp_path / "model")
    small_tokenizer().save_pretrained(tmp_path / "model")
    training = {"recipe": module, "backend": {"name": "ddp"}, "model": str(tmp_path / "model"), "weights": "pretrained"}
    rows = {"rows": make_rows(40), "train": {}, "folder": str(tmp_path / "training")}
    record, other = drive([training | rows], tmp_path / "ranks", env={"PYTHONPATH": str(tmp_path)})
    assert len(record[0]["steps"]) == 10
    assert column(record[0], "loss") == column(other[0], "loss")
    assert column(record[0], "grad_norm") == column(other[0], "grad_norm")
    assert column(record[0], "loss")[-1] < column(record[0], "loss")[0]
    assert column(record[0], "tokens") != column(other[0], "tokens")
