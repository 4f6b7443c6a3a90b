"""The process of recipe `alpaca` with less work: rows without padding, and nothing computed twice or for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from benchspec import Engine, Job, PluginError, Recipe, hookimpl
from benchspec_plugins.recipes import as_trainer
from benchspec_plugins.recipes.alpaca import Alpaca
from benchspec_plugins.recipes.loop import all_ranks, set_up

if TYPE_CHECKING:
    from benchspec_plugins.recipes.packing import Step


class Packed(Recipe):
    """Alpaca's rows, loss and gradients of each step, computed with less work.

    A micro-batch is one sequence without padding. The tokens that a template begins with are computed once in it, and
    every row attends to them. Head and loss are computed only where something is learnt, and never for all places at
    once. The rows of a step are spread over the ranks by their length. AdamW's kernels are fused. For OPT, GPT-J,
    BLOOM, Llama, Mistral and Qwen 3.
    """

    name = "packed"
    drives = "engine"
    templates = Alpaca.templates
    options_schema = {
        "properties": {
            "tokens": {
                "type": "integer",
                "minimum": 1,
                "default": 8192,
                "description": "tokens that a micro-batch aims at; fewer need less memory",
            }
        }
    }

    def train(self, job: Job) -> Any:
        from benchspec_plugins.recipes import packed_network

        steps = self.steps(len(job.data), job.case.train, job.world)
        with job.phase("shard"):
            _check_compiled(job)
            packed_network.install(job.model)
            # AdamW's mathematics in one kernel.
            fused = {"optimizer": "adamw_fused"} if job.case.train["optimizer"] == "adamw" else {}
            engine, scheduler = set_up(job, steps, **fused)
        with job.phase("train"):
            for number, step in enumerate(self._steps(job, steps), start=1):
                loss = _compute(job, engine, step)
                grad_norm = engine.step()
                scheduler.step()
                if not job.step(*step.counts, float(loss), grad_norm, **step.computed):
                    break
                as_trainer.keep_checkpoint(job, engine, number)
        packed_network.uninstall(job.model)
        if (job.case.train["save"] or {}).get("final"):
            with job.phase("save"):
                engine.save(str(job.folder / "final"), job.tokenizer)
        return engine.module

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int:
        return as_trainer.count_steps(rows, train, ranks)

    def workload(self, lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
        # The ranks' shares of a step are nearly equal.
        return as_trainer.work_of_steps(lengths, train, ranks, lambda step: step.sum((1, 2, 3)) / ranks)

    def _steps(self, job: Job, count: int) -> Iterator[Step]:
        """This rank's packs, step by step."""
        from benchspec_plugins.recipes.packing import divide, template_starts

        starts = template_starts(job.tokenizer, self.templates)
        for places in islice(step_rows(len(job.data), job.case.train, job.world), count):
            yield divide([job.data[place] for place in places], self.options["tokens"], starts, job.rank, job.world)


def _check_compiled(job: Job) -> None:
    """Raise `PluginError` where nothing would be compiled.

    Attention that is computed segment by segment is not, nor is then a checkpointed block around it.
    """
    import torch

    from benchspec_plugins.recipes.packed_network import has_kernel

    train = job.case.train
    if not (train.get("compile") and train["activation_checkpointing"]):
        return
    precision = train["precision"]
    if not has_kernel(job.device, torch.bfloat16 if precision == "bf16" else torch.float32):
        raise PluginError(
            f"the recipe 'packed' cannot compile blocks with train.activation_checkpointing in {precision} on this "
            f"{'CPU' if job.device.type == 'cpu' else 'GPU'}; set one of them to false"
        )


def step_rows(rows: int, train: Mapping[str, Any], world: int) -> Iterator[list[int]]:
    """The rows of each optimizer step, of all ranks together, as recipe `alpaca` has them, epoch after epoch."""
    share = train["batch_size"] * world
    order = as_trainer.shuffled_rows(rows, train["seed"])
    # Where several ranks share an epoch, its first rows fill up their last batches.
    missing = -rows % share if world > 1 else 0
    while True:
        drawn = iter(order)
        first = list(islice(drawn, missing))
        places = chain(first, drawn, _repeated(first, missing))
        while step := list(islice(places, share * train["gradient_accumulation"])):
            yield step


def _repeated(first: list[int], count: int) -> list[int]:
    """As many rows as are missing, from an epoch that may be shorter than that."""
    return [first[place % len(first)] for place in range(count)] if first else []


def _compute(job: Job, engine: Engine, step: Step) -> Any:
    """Add up the gradients of a step; returns its loss, the mean over the labelled tokens of all ranks."""
    import torch

    if not step.labelled:
        raise PluginError(
            "no row of a step has an answer within train.max_length: raise train.max_length or train.batch_size"
        )
    total = torch.zeros((), device=job.device)
    for number, pack in enumerate(step.packs, start=1):
        with engine.computing(last=number == len(step.packs)):
            loss = engine.module(pack.to(job.device)) / step.labelled
            # Over ranks, gradients are averaged and losses are added.
            engine.backward(loss * job.world)
        total += loss.detach()
    return all_ranks(job, total)


@hookimpl
def benchspec_register() -> list[type[Recipe]]:
    return [Packed]
