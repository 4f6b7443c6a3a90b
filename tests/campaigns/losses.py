"""Holds recipe `packed` against recipe `alpaca`: 200 steps on real rows under every backend, through the command line.

    python tests/campaigns/losses.py --rows ALPACA.json --tokenizer FOLDER [--steps 200] [--out FOLDER]

A small OPT without dropout, in fp32, one process under `single` and two under the others; each recipe's rows, losses
and gradient norms, step by step. Exit code 1 where a loss is off by more than 1e-4 of itself, or the rows differ. A
quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchspec import Results
from benchspec.results import evidence
from benchspec.results.steps import of_kind

LIMIT = 1e-4
#: as `backend` of a case
BACKENDS = [
    {"name": "single"},
    {"name": "ddp"},
    {"name": "fsdp"},
    {"name": "fsdp", "sync_each_batch": False},
    *({"name": "deepspeed", "stage": stage} for stage in (0, 1, 2, 3)),
]


def spec(rows: Path, tokenizer: Path, steps: int) -> dict[str, Any]:
    shape = {"layers": 2, "hidden": 64, "heads": 4, "dropout": 0}
    cases = [
        {"backend": backend, "launcher.processes": 1 if backend["name"] == "single" else 2, "recipe": recipe}
        for backend in BACKENDS
        for recipe in ("alpaca", "packed")
    ]
    return {
        "benchspec": 1,
        "name": "losses",
        "defaults": {
            "model": {"name": "opt", **shape, "weights": "random", "tokenizer": str(tokenizer.resolve())},
            "dataset": {"name": "alpaca", "path": str(rows.resolve())},
            "launcher": {"name": "torchrun", "warm": True},
            "train": {"max_steps": steps, "batch_size": 1, "gradient_accumulation": 2, "precision": "fp32"},
        },
        "experiments": {"losses": {"matrix": {"include": cases}}},
    }


def recorded(folder: Path, case: str, attempt: str) -> list[tuple[float, float, int, int]]:
    """Of each step: the loss, the gradient norm, and the rows and labelled tokens of all ranks together."""
    steps: dict[int, list[Any]] = {}
    for event in of_kind(evidence.read(folder / "cases" / "losses" / case / attempt).ranks, "step"):
        steps.setdefault(event["step"], []).append(event)
    return [
        (each[0]["loss"], each[0]["grad_norm"], sum(e["rows"] for e in each), sum(e["loss_tokens"] for e in each))
        for _, each in sorted(steps.items())
    ]


def compared(folder: Path, count: int) -> tuple[list[list[Any]], bool]:
    """A row of the table for each backend, and whether all trainings have so many steps and learnt the same."""
    found: dict[str, dict[str, Any]] = {}
    for result in Results.load(folder):
        if result.outcome == "ok":
            backend = json.dumps(result.axes["backend"])
            found.setdefault(backend, {})[result.axes["recipe"]] = recorded(folder, result.case, result.attempt)
    table, right = [], len(found) == len(BACKENDS)
    for backend, runs in found.items():
        pairs = list(zip(runs.get("alpaca", ()), runs.get("packed", ()), strict=False))
        whole = [len(runs.get(recipe, ())) for recipe in ("alpaca", "packed")] == [count] * 2
        losses, norms = (max((abs(b[k] / a[k] - 1) for a, b in pairs), default=1.0) for k in (0, 1))
        same = bool(pairs) and all(a[2:] == b[2:] for a, b in pairs)
        right = right and whole and same and losses <= LIMIT
        table.append([backend, len(pairs), f"{losses:.1e}", f"{norms:.1e}", same])
    return table, right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = asked.out or Path(temporary) / "run"
        file = Path(temporary) / "losses.yaml"
        file.write_text(json.dumps(spec(asked.rows, asked.tokenizer, asked.steps)))
        command = [sys.executable, "-c", "from benchspec.cli import main; main()", "run", str(file), "--out", str(out)]
        subprocess.run(command, check=False, stdout=sys.stderr)
        table, right = compared(out, asked.steps)
    print(tabulate(table, ["backend", "steps", "largest difference of losses", "of gradient norms", "equal rows"]))
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
