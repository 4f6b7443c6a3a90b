"""Runs trainings of `drive_backend.py` in one process group, and reads what each rank recorded."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("drive_backend.py")
ALPACA, LOOP = (f"benchspec_plugins.recipes.{name}" for name in ("alpaca", "loop"))

Record = dict[str, Any]


def drive(
    trainings: list[Record], folder: Path, processes: int = 2, env: Mapping[str, str] | None = None
) -> list[list[Record]]:
    """What each rank recorded of each training, all in one process group."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "plan.json").write_text(json.dumps(trainings))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    # accelerate imports DeepSpeed, where it is installed, which says on stdout that it found no GPU unless it is told.
    quiet = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(
        [*torchrun, str(DRIVER), str(folder / "plan.json"), str(folder)],
        env={**os.environ, **quiet, **(env or {})},
        capture_output=True,
        text=True,
        timeout=560,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert done.stdout == ""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


def column(record: Record, name: str) -> list[float]:
    return [step[name] for step in record["steps"]]


def distance(record: Record, reference: Record) -> float:
    """How far the losses are from those of another training: the root of the mean square over its steps."""
    pairs = zip(column(record, "loss"), column(reference, "loss"), strict=True)
    return math.sqrt(statistics.mean((one - other) ** 2 for one, other in pairs))
