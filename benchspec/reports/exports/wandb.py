"""Results as runs of Weights & Biases: a project a benchmark, a run a launch, with the metrics of each step."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchspec.reports.exports.records import Record
from benchspec.results.results import Results


def export(results: Results, records: Sequence[Record], folder: Path) -> list[str]:
    """Write runs into a folder, or send them if WANDB_MODE says `online`; each run keeps its id."""
    mode = os.environ.get("WANDB_MODE", "offline")
    for record in records:
        _write(results.name, record, folder, mode)
    look = f"; `wandb sync {folder / 'wandb'}/offline-run-*` sends them" if mode == "offline" else ""
    return [f"{len(records)} runs of the project '{results.name}' in {folder / 'wandb'}{look}"]


def _write(project: str, record: Record, folder: Path, mode: str) -> None:
    import wandb

    run = wandb.init(
        project=re.sub(r"[/\\#?%:]", "-", project),
        id=hashlib.sha256(record.id.encode()).hexdigest()[:16],
        name=record.name,
        group=record.experiment,
        dir=str(folder),
        config={**record.settings, **{f"benchspec.{key}": value for key, value in record.facts.items()}},
        settings=_settings(mode),
        resume="allow" if mode == "online" else None,
    )
    for step in record.steps:
        found = {f"step/{key}": step[key] for key in ("loss", "grad_norm", "seconds") if step[key] is not None}
        run.log(found, step=step["step"])
    run.summary.update(dict(record.metrics))
    run.finish(exit_code=0 if record.ok else 1)


def _settings(mode: str) -> Any:
    """Without what wandb would record of the machine that exports, which says nothing of the one that measured."""
    import wandb

    return wandb.Settings(
        mode=mode,
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        host="benchspec",
        username="benchspec",
        program="benchspec export",
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
