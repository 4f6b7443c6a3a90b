"""Holds recipe `loop` against recipe `alpaca` under every backend, for every family, in fp32 and in bf16.

    python tests/campaigns/parity.py [FOLDER]

From one checkpoint a family, without dropout, 20 optimizer steps: in fp32 the largest relative differences of losses
and gradient norms, in bf16 how far each one's losses are from its own in fp32. About ten minutes on two cores; exit
code 1 where one of them is beyond its limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from drive_backend import FAMILIES, make_rows, small_tokenizer, tiny
from driving import ALPACA, LOOP, Record, column, distance, drive
from tabulate import tabulate

BACKENDS: dict[str, Record] = {
    "single": {"name": "single"},
    "ddp": {"name": "ddp"},
    "fsdp": {"name": "fsdp"},
    "fsdp, whole gradients": {"name": "fsdp", "sync_each_batch": False},
    "ZeRO-1": {"name": "deepspeed", "stage": 1},
    "ZeRO-2": {"name": "deepspeed", "stage": 2},
    "ZeRO-3": {"name": "deepspeed", "stage": 3},
}
#: of itself: a loss, a gradient norm; a distance to fp32
LOSS, NORM, DISTANCE = 1e-5, 1e-4, 0.1
HEAD = ["backend", "family", "fp32: loss", "gradient norm", "bf16 to fp32: alpaca", "loop", "equal rows", ""]

Runs = dict[tuple[str, str], list[Record]]


def compare(name: str, family: str, checkpoint: Path, folder: Path) -> list[Any]:
    """A row of the table."""
    runs = train(BACKENDS[name], checkpoint, folder)
    loss, norm = (largest(runs, column_) for column_ in ("loss", "grad_norm"))
    far = {recipe: distance(runs[recipe, "bf16"][0], runs[recipe, "fp32"][0]) for recipe in (ALPACA, LOOP)}
    rows = all(same_rows(runs, precision) for precision in ("fp32", "bf16"))
    near = abs(far[LOOP] - far[ALPACA]) <= DISTANCE * max(far.values())
    verdict = "ok" if rows and near and loss <= LOSS and norm <= NORM else "DIFFERS"
    return [name, family, f"{loss:.0e}", f"{norm:.0e}", f"{far[ALPACA]:.2e}", f"{far[LOOP]:.2e}", rows, verdict]


def train(backend: Record, checkpoint: Path, folder: Path) -> Runs:
    """By recipe and precision, what each rank recorded."""
    processes = 1 if backend["name"] == "single" else 2
    # 20 optimizer steps in two epochs, the last of each short, on one rank or two.
    rows = make_rows(77 if processes == 2 else 39)
    fixed = {"backend": backend, "model": str(checkpoint), "weights": "pretrained", "rows": rows}
    keys = [(recipe, precision) for recipe in (ALPACA, LOOP) for precision in ("fp32", "bf16")]
    plan = [
        fixed | {"recipe": recipe, "train": {"epochs": 2, "precision": precision}, "folder": str(folder / "training")}
        for recipe, precision in keys
    ]
    return dict(zip(keys, map(list, zip(*drive(plan, folder, processes), strict=True)), strict=True))


def largest(runs: Runs, name: str) -> float:
    """The largest relative difference between the two recipes, in fp32, of any step."""
    alpaca, loop = (column(runs[recipe, "fp32"][0], name) for recipe in (ALPACA, LOOP))
    assert len(alpaca) == len(loop) == 20
    return max(abs(one - other) / abs(one) for one, other in zip(alpaca, loop, strict=True))


def same_rows(runs: Runs, precision: str) -> bool:
    """Whether each rank worked on as many rows and tokens in each step."""
    pairs = zip(runs[ALPACA, precision], runs[LOOP, precision], strict=True)
    counted = ("rows", "tokens", "padded", "loss_tokens")
    return all(column(one, name) == column(other, name) for one, other in pairs for name in counted)


def main(folder: Path) -> int:
    rows = []
    for family in FAMILIES:
        checkpoint = folder / family
        tiny(family).save_pretrained(checkpoint)
        small_tokenizer().save_pretrained(checkpoint)
        rows += [compare(name, family, checkpoint, folder / f"{name}-{family}") for name in BACKENDS]
    print(tabulate(rows, HEAD, disable_numparse=True))
    return int(any(row[-1] != "ok" for row in rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where checkpoints and logs go; a temporary folder")
    sys.exit(main(parser.parse_args().folder or Path(tempfile.mkdtemp())))
