"""The process of recipe `alpaca` in a plain training loop, to read and to copy."""

from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any

from benchspec import Engine, Job, Recipe, hookimpl
from benchspec_plugins.recipes import as_trainer
from benchspec_plugins.recipes.alpaca import Alpaca, checkpointing_field


class Loop(Recipe):
    """Alpaca's rows, loss, optimizer and schedule without Trainer; a checkpoint on the way holds the weights only."""

    name = "loop"
    drives = "engine"
    templates = Alpaca.templates

    def train(self, job: Job) -> Any:
        steps = self.steps(len(job.data), job.case.train, job.world)
        with job.phase("shard"):
            engine, scheduler = set_up(job, steps)
        with job.phase("train"):
            for number, batches in enumerate(islice(as_trainer.step_batches(job), steps), start=1):
                counts = as_trainer.count_batches(batches)
                loss = compute(job, engine, batches, counts[-1])
                grad_norm = engine.step()
                scheduler.step()
                if not job.step(*counts, float(loss), grad_norm):
                    break
                as_trainer.keep_checkpoint(job, engine, number)
        if (job.case.train["save"] or {}).get("final"):
            with job.phase("save"):
                engine.save(str(job.folder / "final"), job.tokenizer)
        return engine.module

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int:
        return as_trainer.count_steps(rows, train, ranks)

    def workload(self, lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
        return as_trainer.padded_work(lengths, train, ranks)


def set_up(job: Job, steps: int, **other: Any) -> tuple[Engine, Any]:
    """The spread model with its optimizer, proven, and the schedule of the learning rate.

    `other` are settings of the optimizer that are not as `train` says.
    """
    train = job.case.train
    as_trainer.set_tf32(train)
    job.model.train()
    if train["activation_checkpointing"]:
        getattr(job.model, f"{checkpointing_field()}_enable")()
    engine = job.backend.spread(job.model, partial(as_trainer.optimizer, {**train, **other}), train)
    job.backend.prove(engine.module)
    return engine, as_trainer.schedule(train, engine.optimizer, steps)


def compute(job: Job, engine: Engine, batches: list[dict[str, Any]], labelled: int) -> Any:
    """Add up the gradients of a step; returns its loss, the mean over the labelled tokens of all ranks."""
    learnt, losses = all_ranks(job, labelled), []
    for number, batch in enumerate(batches, start=1):
        inputs = {name: tensor.to(job.device, non_blocking=True) for name, tensor in batch.items()}
        with engine.computing(last=number == len(batches)):
            loss = engine.module(**inputs, use_cache=False, num_items_in_batch=learnt).loss
            # Over ranks, gradients are averaged and losses are added.
            engine.backward(loss * job.world)
        losses.append(loss.detach())
    return all_ranks(job, sum(losses))


def all_ranks(job: Job, value: Any) -> Any:
    """The sum of a value over all ranks."""
    import torch

    total = torch.as_tensor(value, device=job.device)
    if job.world > 1:
        torch.distributed.all_reduce(total)
    return total


@hookimpl
def benchspec_register() -> list[type[Recipe]]:
    return [Loop]
