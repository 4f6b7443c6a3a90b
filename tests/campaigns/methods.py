"""Trains every method on every backend, in both recipes and every family, and holds the losses against each other.

    python tests/campaigns/methods.py [--precision bf16] [--folder FOLDER]

From one checkpoint a family, without dropout, 4 optimizer steps on two processes (one under `single`, whose rows differ,
so that its two recipes are held against each other). About eight minutes on two cores; exit code 1 where a loss differs
by more than `LOSS` of itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from drive_backend import FAMILIES, make_rows, small_tokenizer, tiny
from driving import ALPACA, LOOP, Record, column, drive
from tabulate import tabulate

METHODS: dict[str, Record] = {
    "full": {"name": "full"},
    "lora": {"name": "lora", "rank": 4, "alpha": 16},
    "adapter": {"name": "adapter", "size": 8},
    "frozen": {"name": "frozen", "blocks": 1},
}
BACKENDS: dict[str, Record] = {
    "single": {"name": "single"},
    "ddp": {"name": "ddp"},
    "fsdp": {"name": "fsdp"},
    "ZeRO-1": {"name": "deepspeed", "stage": 1},
    "ZeRO-2": {"name": "deepspeed", "stage": 2},
    "ZeRO-3": {"name": "deepspeed", "stage": 3},
}
LOSS = {"fp32": 1e-5, "bf16": 2e-3}
Losses = dict[tuple[str, str, str], list[float]]


def train(backend: str, checkpoints: dict[str, Path], folder: Path, precision: str) -> Losses:
    """(family, method, recipe) -> the losses of each step, which are the same on every rank."""
    keys = [(family, method, recipe) for family in FAMILIES for method in METHODS for recipe in (ALPACA, LOOP)]
    plan = [
        {
            "recipe": recipe,
            "backend": BACKENDS[backend],
            "model": str(checkpoints[family]),
            "weights": "pretrained",
            "rows": make_rows(40),
            "train": {"max_steps": 4, "learning_rate": 1e-2, "precision": precision},
            "method": METHODS[method],
            "folder": str(folder / "training"),
        }
        for family, method, recipe in keys
    ]
    ranks = drive(plan, folder, processes=1 if backend == "single" else 2)
    return dict(zip(keys, (column(record, "loss") for record in ranks[0]), strict=True))


def farthest(losses: Losses, reference: Losses, family: str, method: str) -> float:
    """The largest relative difference between the losses of both recipes and those of the reference's `alpaca`."""
    wanted = reference[family, method, ALPACA]
    found = [losses[family, method, recipe] for recipe in (ALPACA, LOOP)]
    return max(abs(loss / other - 1) for each in found for loss, other in zip(each, wanted, strict=True))


def main(folder: Path, precision: str) -> int:
    checkpoints = {family: folder / family for family in FAMILIES}
    for family, checkpoint in checkpoints.items():
        tiny(family).save_pretrained(checkpoint)
        small_tokenizer().save_pretrained(checkpoint)
    done = {backend: train(backend, checkpoints, folder / backend, precision) for backend in BACKENDS}
    rows, worst = [], 0.0
    for backend, losses in done.items():
        reference = losses if backend == "single" else done["ddp"]
        for family in FAMILIES:
            far = [farthest(losses, reference, family, method) for method in METHODS]
            rows.append([backend, family, *(f"{each:.0e}" for each in far)])
            worst = max(worst, *far)
    print(tabulate(rows, headers=["backend", "family", *METHODS]))
    return int(worst > LOSS[precision])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=list(LOSS), default="fp32")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(given.folder or Path(temporary), given.precision))
