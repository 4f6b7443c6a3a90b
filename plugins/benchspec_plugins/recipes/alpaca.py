"""Stanford Alpaca's fine-tuning process on `transformers.Trainer`, as the white paper ran it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from benchspec import Job, Recipe, hookimpl
from benchspec_plugins.recipes.as_trainer import count_steps, padded_work, shuffled_rows

if TYPE_CHECKING:
    import torch


#: counts a micro-batch: its rows, positions, tokens and labelled tokens
Count = Callable[[Mapping[str, Any]], tuple[int, int, Any, Any]]
#: `train.optimizer` -> what Trainer calls it
OPTIMIZERS = {
    "adamw": "adamw_torch",
    "adamw_fused": "adamw_torch_fused",
    "adafactor": "adafactor",
    "adamw_8bit": "adamw_8bit",
}


class Alpaca(Recipe):
    """The paper's process: every row once an epoch in a seeded order, response only, AdamW, logging every step.

    Loss and gradients are averaged as today's Trainer does it: over the labelled tokens of the whole optimizer step,
    all micro-batches and ranks together. The Trainer of 2023 averaged the means of the micro-batches instead, which
    gave short answers more weight. The losses reported are those that Trainer logs.
    """

    name = "alpaca"
    templates = {
        "with_input": (
            "Below is an instruction that describes a task, paired with an input that provides further context. "
            "Write a response that appropriately completes the request.\n\n"
            "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
        ),
        "without_input": (
            "Below is an instruction that describes a task. "
            "Write a response that appropriately completes the request.\n\n"
            "### Instruction:\n{instruction}\n\n### Response:"
        ),
    }

    def train(self, job: Job) -> Any:
        with ExitStack() as open_phase:
            phases = Phases(job, open_phase)
            phases.enter("shard")
            trainer = self.trainer(job, phases)
            trainer.train()
        save = job.case.train["save"]
        if save and save["final"]:
            with job.phase("save"):
                trainer.save_model(str(job.folder / "final"))
        return trainer.model_wrapped

    def trainer(self, job: Job, phases: Phases) -> Any:
        """The trainer of a job; overridden by recipes on trainers that are made from `transformers.Trainer`."""
        from transformers import Trainer, TrainingArguments

        data = {"train_dataset": job.data, "data_collator": job.collate}
        return build_trainer(job, phases, Trainer, TrainingArguments(**arguments(job)), data)

    def steps(self, rows: int, train: Mapping[str, Any], ranks: int) -> int:
        return count_steps(rows, train, ranks)

    def workload(self, lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
        return padded_work(lengths, train, ranks)


class Phases:
    """The phase that training is in; an exception that ends it leaves through its context."""

    def __init__(self, job: Job, stack: ExitStack):
        self._job = job
        self._stack = stack

    def enter(self, name: str) -> None:
        self.leave()
        self._stack.enter_context(self._job.phase(name))

    def leave(self) -> None:
        self._stack.close()


def build_trainer(
    job: Job, phases: Phases, base: type, args: Any, data: Mapping[str, Any], count: Count | None = None
) -> Any:
    """A trainer made from `base` as the backend wants it, counting tokens, and silent on stdout.

    `args` are its arguments, `data` what it is given of the rows, and `count` how it counts a micro-batch, by default
    one that is padded.
    """
    from transformers import PrinterCallback, ProgressCallback

    counting = counting_trainer(base, count or count_padded)
    trainer = job.backend.trainer(counting)(model=job.model, args=args, processing_class=job.tokenizer, **data)
    for printing in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printing)
    trainer.on_prepared = job.backend.prove
    trainer.saving = partial(job.phase, "save")
    trainer.add_callback(reporter(job, trainer, phases))
    return trainer


def arguments(job: Job) -> dict[str, Any]:
    """The settings of `TrainingArguments`; the backend's own come last."""
    import torch
    from transformers.utils.import_utils import is_torch_tf32_available

    train, gpu = job.case.train, torch.cuda.is_available()
    return {
        "output_dir": str(job.folder),
        "num_train_epochs": train["epochs"],
        "max_steps": -1 if train["max_steps"] is None else train["max_steps"],
        "per_device_train_batch_size": train["batch_size"],
        "gradient_accumulation_steps": train["gradient_accumulation"],
        "bf16": train["precision"] == "bf16",
        # Trainer raises for `tf32` where the device has none.
        "tf32": train["tf32"] if is_torch_tf32_available() else None,
        "use_cpu": not gpu,
        "optim": OPTIMIZERS[train["optimizer"]],
        "learning_rate": train["learning_rate"],
        "weight_decay": train["weight_decay"],
        # A float below one is a share of the steps.
        "warmup_steps": float(train["warmup_ratio"]),
        "lr_scheduler_type": train["lr_scheduler"],
        "max_grad_norm": train["max_grad_norm"],
        "seed": train["seed"],
        checkpointing_field(): train["activation_checkpointing"],
        "logging_strategy": "steps",
        "logging_steps": 1,
        # On, it would put the mean of the losses before in the place of a NaN.
        "logging_nan_inf_filter": False,
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": gpu,
        # Ranks wait in a collective for the one that reads, or downloads, the checkpoint; the default is half an hour.
        "ddp_timeout": 2 * 3600,
        **saving(train["save"]),
        **job.backend.arguments(),
    }


def saving(save: Any) -> dict[str, Any]:
    if not save or save["every"] is None:
        return {"save_strategy": "no"}
    return {"save_strategy": "steps", "save_steps": save["every"], "save_total_limit": save["keep"]}


def checkpointing_field() -> str:
    """What `TrainingArguments` calls activation checkpointing: transformers renamed it within version 5."""
    from transformers import TrainingArguments

    fields = TrainingArguments.__dataclass_fields__
    return "activation_checkpointing" if "activation_checkpointing" in fields else "gradient_checkpointing"


def count_padded(inputs: Mapping[str, Any]) -> tuple[int, int, Any, Any]:
    """Rows, positions, tokens and labelled tokens of a padded micro-batch, the latter two as tensors."""
    mask, labels = inputs["attention_mask"], inputs["labels"]
    return mask.shape[0], mask.numel(), mask.sum(), labels[:, 1:].ne(-100).sum()


def counting_trainer(base: type, count: Count) -> type:
    """A trainer that counts what each optimizer step of this rank worked on, and draws rows without a list of them."""
    import torch

    parent: Any = base

    class CountingTrainer(parent):  # type: ignore[misc]
        """See `counting_trainer`."""

        #: called with the wrapped model, before the clock of training starts
        on_prepared: Callable[[Any], Any]
        #: a context in which checkpoints are written
        saving: Callable[[], AbstractContextManager[None]]
        _counts: torch.Tensor | int = 0
        _rows = _positions = 0

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            rows, positions, *counts = count(inputs)
            self._rows += rows
            self._positions += positions
            # On the device and unread: reading here would make it wait for each micro-batch.
            self._counts = self._counts + torch.stack([torch.as_tensor(each) for each in counts])
            return super().training_step(model, inputs, *args, **kwargs)

        def take_counts(self) -> tuple[int, int, int, int]:
            """Rows, tokens, positions and labelled tokens since the last call."""
            tokens, labelled = torch.as_tensor(self._counts).tolist()
            counted = self._rows, tokens, self._positions, labelled
            self._rows = self._positions = self._counts = 0
            return counted

        def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
            prepared = super()._prepare_for_training(*args, **kwargs)
            self.on_prepared(self.model_wrapped)
            return prepared

        def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            with self.saving():
                super()._save_checkpoint(*args, **kwargs)

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            dataset: Any = self.train_dataset
            return shuffled_rows(len(dataset), self.args.seed)

    return CountingTrainer


def reporter(job: Job, trainer: Any, phases: Phases) -> Any:
    """The callback that reports each optimizer step to the job, and opens and closes the `train` phase."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        """See `reporter`."""

        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            phases.enter("train")

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # Trainer would also write a checkpoint after the last step.
            control.should_save = job.save_due(state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "train_runtime" in logs:
                phases.leave()
            elif "loss" in logs:
                rows, tokens, padded, labelled = trainer.take_counts()
                go_on = job.step(rows, tokens, padded, labelled, logs["loss"], logs.get("grad_norm"))
                if not go_on:
                    control.should_training_stop, control.should_save = True, False

    return Reporter()


@hookimpl
def benchspec_register() -> list[type[Recipe]]:
    return [Alpaca]
