"""What Trainer does, for a loop without it: its steps, the order of its rows, its optimizer and schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from shutil import rmtree
from typing import Any

from benchspec import Engine, Job

#: rows of a permutation that are Python numbers at once
CHUNK = 1 << 16
#: patterns in the names of parameters that do not decay
UNDECAYED = ["bias", "layernorm", "rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]


def count_steps(rows: int, train: Mapping[str, Any], ranks: int) -> int:
    """Optimizer steps of a training: 612 for Alpaca on 8 ranks, the last accumulation of an epoch a partial one."""
    batches = math.ceil(rows / (train["batch_size"] * ranks))
    steps = math.ceil(max(1, math.ceil(batches / train["gradient_accumulation"])) * train["epochs"])
    return int(train["max_steps"] or steps)


def padded_work(lengths: Any, train: Mapping[str, Any], ranks: int) -> Any:
    """Tokens with padding that the slowest rank computes in each optimizer step; see `Recipe.workload`."""
    return work_of_steps(
        lengths,
        train,
        ranks,
        # A row that is not there has no tokens.
        lambda step: (step.max(-1) * (step > 0).sum(-1)).sum(1).max(-1),
    )


def work_of_steps(lengths: Any, train: Mapping[str, Any], ranks: int, work: Callable[[Any], Any]) -> Any:
    """The work of each optimizer step of a whole training.

    `work` makes it of an epoch's lengths, an array of shape (steps, accumulation, ranks, batch), 0 where an epoch's
    last step has no row.
    """
    import numpy as np

    steps, size = count_steps(len(lengths), train, ranks), train["batch_size"] * ranks
    found: list[Any] = []
    epochs = 0
    while sum(map(len, found)) < steps:
        order = epoch_order(len(lengths), train["seed"] + epochs).numpy()
        # Where several ranks share an epoch, its first rows fill up their last batches.
        filled = np.resize(order, -(-len(order) // size) * size) if ranks > 1 else order
        row_lengths = np.asarray(lengths)[filled]
        rows = size * train["gradient_accumulation"]
        whole = np.pad(row_lengths, (0, -len(row_lengths) % rows))
        found.append(work(whole.reshape(-1, train["gradient_accumulation"], ranks, train["batch_size"])))
        epochs += 1
    return np.concatenate(found)[:steps].astype(float)


def epoch_order(rows: int, seed: int) -> Any:
    """The order of an epoch's rows, as `accelerate`'s `SeedableRandomSampler` draws it with the seed of that epoch."""
    import torch

    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed))


def shuffled_rows(rows: int, seed: int) -> Any:
    """A sampler of `rows` rows in the order that Trainer's own would draw, at eight bytes a row.

    Trainer's (`accelerate`'s `SeedableRandomSampler`, seeded with seed + epoch) makes a Python list of the permutation:
    400 MB a rank for ten million rows.
    """
    import torch
    from torch.utils.data import Sampler

    class ShuffledRows(Sampler[int]):
        """See `shuffled_rows`."""

        epoch = 0

        def __len__(self) -> int:
            return rows

        def __iter__(self) -> Iterator[int]:
            for chunk in torch.split(epoch_order(rows, seed + self.epoch), CHUNK):
                yield from chunk.tolist()
            self.epoch += 1

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

    return ShuffledRows()


def step_batches(job: Job) -> Iterator[list[dict[str, Any]]]:
    """This rank's micro-batches of each optimizer step, epoch after epoch; an epoch's last step may have fewer."""
    import torch
    from accelerate.data_loader import BatchSamplerShard  # type: ignore[import-untyped]
    from torch.utils.data import BatchSampler, DataLoader

    train = job.case.train
    # The sampler counts epochs by itself.
    batches: Any = BatchSampler(shuffled_rows(len(job.data), train["seed"]), train["batch_size"], drop_last=False)
    if job.world > 1:
        # Ranks take batches in turn, and an epoch's first rows fill up its last ones.
        batches = BatchSamplerShard(batches, job.world, job.rank)
    pinned = torch.cuda.is_available()
    loader = DataLoader(job.data, batch_sampler=batches, collate_fn=job.collate, pin_memory=pinned)
    while True:
        epoch = iter(loader)
        while step := list(islice(epoch, train["gradient_accumulation"])):
            yield step


def count_batches(batches: list[dict[str, Any]]) -> tuple[int, int, int, int]:
    """Rows, tokens, tokens with padding, and labelled tokens of this rank, as `Job.step` is told of them."""
    masks, labels = ([batch[name] for batch in batches] for name in ("attention_mask", "labels"))
    return (
        sum(len(mask) for mask in masks),
        sum(int(mask.sum()) for mask in masks),
        sum(mask.numel() for mask in masks),
        # Nothing predicts a row's first token.
        sum(int(label[:, 1:].ne(-100).sum()) for label in labels),
    )


def optimizer(train: Mapping[str, Any], network: Any) -> Any:
    """`train.optimizer` over the parameters that learn; biases and norms do not decay."""
    import torch
    from transformers.trainer_pt_utils import get_parameter_names

    decaying = set(get_parameter_names(network, [torch.nn.LayerNorm], UNDECAYED))  # type: ignore[no-untyped-call]
    learning = [(name in decaying, parameter) for name, parameter in network.named_parameters()]
    groups = [
        {"params": [p for decays, p in learning if p.requires_grad and decays is group], "weight_decay": decay}
        for group, decay in ((True, train["weight_decay"]), (False, 0.0))
    ]
    if train["optimizer"] == "adafactor":
        from transformers import Adafactor

        factored: Any = Adafactor
        return factored(groups, lr=train["learning_rate"], scale_parameter=False, relative_step=False)
    if train["optimizer"] == "adamw_8bit":
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(groups, lr=train["learning_rate"])
    return torch.optim.AdamW(groups, lr=train["learning_rate"], fused=train["optimizer"] == "adamw_fused" or None)


def schedule(train: Mapping[str, Any], optimizer: Any, steps: int) -> Any:
    """The learning rate's schedule, to be stepped once an optimizer step."""
    from transformers import get_scheduler

    return get_scheduler(train["lr_scheduler"], optimizer, math.ceil(steps * train["warmup_ratio"]), steps)


def set_tf32(train: Mapping[str, Any]) -> None:
    """Choose the arithmetic of float32 matrix products, on a GPU that has TensorFloat-32."""
    from transformers.utils.import_utils import enable_tf32, is_torch_tf32_available

    if is_torch_tf32_available():
        enable_tf32(train["tf32"])


def keep_checkpoint(job: Job, engine: Engine, step: int) -> None:
    """Save the weights if that is due; the checkpoint that is then one too many for `save.keep` goes."""
    if not job.save_due(step):
        return
    save = job.case.train["save"]
    with job.phase("save"):
        engine.save(str(job.folder / f"checkpoint-{step}"), job.tokenizer)
        if save["keep"]:
            # Ranks of one host meet here; whichever is first removes it.
            rmtree(job.folder / f"checkpoint-{step - save['every'] * save['keep']}", ignore_errors=True)
