"""What the callback `benchspec.trainer.Measure` costs a training script.

    python benchmarks/trainer_callback.py [--pairs 10]

Trainings of the same small model with and without the callback take turns in one process. Two figures are printed: the
ratio of their median step times with its range over pairs, and the share of the training that was spent within the
callback, which the noise of a machine hides less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import OPTConfig, OPTForCausalLM, Trainer, TrainerCallback, TrainingArguments

from benchspec.trainer import Measure

STEPS = 30


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Rows of random tokens."""

    def __init__(self) -> None:
        self.rows = torch.randint(3, 1000, (4 * STEPS, 128), generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


class Clock(TrainerCallback):
    """The moments at which steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *given: Any, **kwargs: Any) -> None:
        self.ends.append(time.perf_counter())

    @property
    def step_time(self) -> float:
        return median(later - earlier for earlier, later in zip(self.ends, self.ends[1:], strict=False))


class Timed(Measure):
    """The callback, which adds up the seconds that it takes while steps are made."""

    spent = 0.0


def _timed(name: str) -> Any:
    original = getattr(Measure, name)

    def method(self: Any, *given: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(self, *given, **kwargs)
        finally:
            self.spent += time.perf_counter() - begun

    return method


for _name in ("on_step_begin", "on_step_end", "on_substep_end", "on_log"):
    setattr(Timed, _name, _timed(_name))


def train(folder: Path | None) -> tuple[float, float]:
    """The median step time of a training, and the share of it that the callback took."""
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "ffn_dim": 512, "word_embed_proj_dim": 128, "num_hidden_layers": 4}
    model = OPTForCausalLM(OPTConfig(vocab_size=1000, num_attention_heads=4, max_position_embeddings=256, **shape))
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(
            output_dir=out, per_device_train_batch_size=4, num_train_epochs=1, logging_steps=1, save_strategy="no",
            report_to="none", disable_tqdm=True, use_cpu=True,
        )  # fmt: skip
        clock, measuring = Clock(), Timed(folder) if folder else None
        callbacks = [clock, *([measuring] if measuring else [])]
        trainer = Trainer(model=model, args=args, train_dataset=Rows(), callbacks=callbacks)
        trainer.train()
    whole = clock.ends[-1] - clock.ends[0]
    return clock.step_time, measuring.spent / whole if measuring else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    ratios, shares = [], []
    with tempfile.TemporaryDirectory() as home:
        train(None)
        for number in range(parser.parse_args().pairs):
            folder = Path(home) / "run"
            pair = [train(folder), train(None)] if number % 2 else [train(None), train(folder)][::-1]
            ratios.append(pair[0][0] / pair[1][0])
            shares.append(pair[0][1])
    print(f"step time with / without: {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"share within the callback: {100 * median(shares):.3f}%")


if __name__ == "__main__":
    main()
