"""Run directories as two runs would leave them, for tests of comparisons."""

from __future__ import annotations

import json
from pathlib import Path

from example_results import result
from left import leave

from benchspec.results import Results, append

RECORD = {
    "data": {"fingerprint": "f00d", "identity": None},
    "processes": 1,
    "machine": {"cpu": "AMD EPYC, 2 cores", "driver": None},
    "libraries": {"python": "3.11.7", "torch": "2.13.0"},
    "commits": {"benchspec": {"id": "a" * 40, "dirty": False, "digest": "1"}},
}
CASE = {
    "said": {"model": {"name": "opt-tiny"}, "dataset": {"name": "synthetic", "rows": 64}},
    "model": {"name": "opt-tiny", "weights": "random"},
    "dataset": {"name": "synthetic", "rows": 64, "seed": 0},
    "train": {"batch_size": 4, "precision": "fp32"},
    "measure": {"warmup_steps": None},
    "limits": {"timeout": None},
}
LOSSES = (5.0, 4.9, 4.8)


def run_dir(folder, rates, *, case=CASE, record=RECORD, losses=LOSSES, **fields):
    """The results in a new run directory: a launch for each rate, in rows/s; None is one that crashed."""
    folder.mkdir(parents=True, exist_ok=True)
    for launch, rate in enumerate(rates, start=1):
        add(folder, launch, rate, case=case, record=record, losses=losses, **fields)
    return Results.load(folder)


def add(folder: Path, launch, rate, *, case=CASE, record=RECORD, losses=LOSSES, name="opt-tiny-1f9c2a", **fields):
    ending = {} if rate else {"outcome": "crash", "phase": "train", "rank": 0, "reason": "ValueError: no"}
    usual = {"case": name, "axes": {"model": "opt-tiny"}, "record": record}
    metrics = {"metrics": {"rows_per_second": rate} if rate else {}}
    found = result(attempt=str(launch), launch=launch, **{**usual, **metrics, **ending, **fields})
    append(folder, found)
    attempt = folder / "cases" / found.experiment / found.case / found.attempt
    attempt.mkdir(parents=True)
    (attempt / "case.json").write_text(json.dumps(case))
    leave(attempt, [step(number, loss) for number, loss in enumerate(losses, start=1)])


def step(number, loss):
    counts = {"rows": 4, "tokens": 40, "padded_tokens": 40, "loss_tokens": 10}
    return {"event": "step", "time": float(number), "step": number, "loss": loss, "grad_norm": 1.0, **counts}
