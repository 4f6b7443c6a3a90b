"""What the recipe costs beyond a bare Trainer script: the same training both ways, in turn.

    python benchmarks/overhead.py [--steps 40] [--hidden 256] [--repeats 5]

The bare script logs every step too, so what is measured is counting, reporting and drawing rows. The model is a small
OPT: the smaller it is, the more of a step the overhead would be.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VOCABULARY = 4096


def network(hidden: int) -> Any:
    import torch
    from transformers import OPTConfig, OPTForCausalLM

    torch.manual_seed(42)
    sizes = {"hidden_size": hidden, "word_embed_proj_dim": hidden, "ffn_dim": 4 * hidden, "num_hidden_layers": 4}
    return OPTForCausalLM(OPTConfig(vocab_size=VOCABULARY, num_attention_heads=4, **sizes))


def rows(count: int) -> list[dict[str, Any]]:
    """Rows of 30 to 200 tokens, as Alpaca's are."""
    import numpy as np

    draw = np.random.default_rng(42)
    lengths = draw.integers(30, 200, count)
    return [{"input_ids": draw.integers(3, VOCABULARY, n).astype(np.int32), "prompt": 20} for n in lengths]


class Recorded:
    """A job that does with a step what a worker does: it writes a line."""

    def __init__(self, file: Any, **fields: Any):
        self.__dict__.update(fields)
        self.file = file
        self.losses: list[float] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        yield

    def save_due(self, step: int) -> bool:
        return False

    def step(self, *counts: Any, **computed: int) -> bool:
        self.losses.append(counts[4])
        self.file.write(json.dumps([time.time(), *counts]).encode() + b"\n")
        return True


def recipe(model: Any, data: Any, settings: dict[str, Any], folder: str) -> tuple[float, list[float]]:
    from benchspec.worker.data.batches import collate
    from benchspec_plugins.backends.single import Single
    from benchspec_plugins.recipes import alpaca

    case = SimpleNamespace(train=settings)
    tokenizer = SimpleNamespace(pad_token_id=1)
    with (Path(folder) / "rank-0.jsonl").open("ab", buffering=0) as file:
        job: Any = Recorded(
            file, case=case, model=model, tokenizer=tokenizer, data=data, backend=Single({}), folder=Path(folder)
        )
        job.collate = partial(collate, pad_id=tokenizer.pad_token_id)
        with ExitStack() as stack:
            trainer = alpaca.Alpaca({}).trainer(job, alpaca.Phases(job, stack))
            return trainer.train().metrics["train_runtime"], job.losses


def bare(model: Any, data: Any, settings: dict[str, Any], folder: str) -> tuple[float, list[float]]:
    from transformers import Trainer, TrainingArguments

    from benchspec.worker.data.batches import collate

    arguments = TrainingArguments(
        output_dir=folder,
        max_steps=settings["max_steps"],
        per_device_train_batch_size=settings["batch_size"],
        gradient_accumulation_steps=settings["gradient_accumulation"],
        bf16=settings["precision"] == "bf16",
        optim="adamw_torch",
        learning_rate=settings["learning_rate"],
        warmup_steps=settings["warmup_ratio"],
        lr_scheduler_type="cosine",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=data, data_collator=partial(collate, pad_id=1))
    runtime = trainer.train().metrics["train_runtime"]
    return runtime, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def settings(steps: int) -> dict[str, Any]:
    return {
        "epochs": 3,
        "max_steps": steps,
        "batch_size": 4,
        "gradient_accumulation": 2,
        "precision": "fp32",
        "tf32": False,
        "learning_rate": 2e-5,
        "weight_decay": 0.0,
        "warmup_ratio": 0.03,
        "lr_scheduler": "cosine",
        "max_grad_norm": 1.0,
        "seed": 42,
        "optimizer": "adamw",
        "activation_checkpointing": False,
        "save": None,
    }


def child(variant: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--variant", variant], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--variant", choices=["bare", "recipe"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        train = {"bare": bare, "recipe": recipe}[arguments.variant]
        with tempfile.TemporaryDirectory() as folder:
            runtime, losses = train(network(arguments.hidden), rows(1000), settings(arguments.steps), folder)
        print(json.dumps({"runtime": runtime, "losses": losses}))
        return
    runs: dict[str, list[dict[str, Any]]] = {"bare": [], "recipe": []}
    for _ in range(arguments.repeats):
        for variant, done in runs.items():
            done.append(child(variant))
    medians = {name: statistics.median(run["runtime"] for run in done) for name, done in runs.items()}
    for name, done in runs.items():
        print(f"{name:7} {medians[name]:7.3f} s (each: {', '.join(format(run['runtime'], '.3f') for run in done)})")
    ratios = sorted(b["runtime"] / a["runtime"] for a, b in zip(runs["bare"], runs["recipe"], strict=True))
    print(f"recipe / bare: {medians['recipe'] / medians['bare']:.3f} (pairs: {ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"losses equal: {all(run['losses'] == runs['bare'][0]['losses'] for done in runs.values() for run in done)}")


if __name__ == "__main__":
    main()
