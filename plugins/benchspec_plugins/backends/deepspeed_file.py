"""A DeepSpeed JSON file as the backend's configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchspec import PluginError

#: sections that say what a spec's own fields say
OURS = {
    "optimizer": "train.optimizer",
    "scheduler": "train.lr_scheduler",
    "fp16": "train.precision (bf16 or fp32)",
    "amp": "train.precision (bf16 or fp32)",
    "activation_checkpointing": "train.activation_checkpointing",
}
#: sections that say what is kept elsewhere than on the accelerator
OFFLOADS = ("offload_optimizer", "offload_param")
#: values that follow from a spec's fields
FILLED = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping", "train_batch_size")


def read(options: Mapping[str, Any]) -> dict[str, Any]:
    """The file's configuration; raises `PluginError` if it is none, or says what the spec's fields say.

    `options` are the backend's: beside `config`, only a `stage` that is the file's may be given.
    """
    path = str(options["config"])
    others = [name for name, value in options.items() if name not in ("config", "stage") and value is not None]
    if others:
        raise PluginError(f"backend 'deepspeed' takes {others[0]} or a config, not both: write it into {path}")
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        # A file that is not there is reported as any missing file.
        return {"zero_optimization": {"stage": options["stage"]}}
    except ValueError as error:
        raise PluginError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise PluginError(f"{path} is no DeepSpeed configuration: it is a {type(found).__name__}")
    _check(path, found)
    stage = found.get("zero_optimization", {}).get("stage", 0)
    # 3 is the default, so that it may not have been said.
    if options["stage"] not in (3, stage):
        raise PluginError(f"{path} says stage {stage}, and the spec {options['stage']}: leave `stage` out")
    return {name: value for name, value in found.items() if name not in FILLED}


def _check(path: str, found: Mapping[str, Any]) -> None:
    for section, field in OURS.items():
        if _enabled(found.get(section)):
            raise PluginError(f"{path} has {section}, which a spec says by {field}: leave it out of the file")
    for section in ("zero_optimization", "bf16"):
        _check_mapping(path, section, found.get(section, {}))
    _check_zero(path, found.get("zero_optimization", {}))
    if fixed := [name for name in FILLED if found.get(name, "auto") != "auto"]:
        raise PluginError(f'{path} has a fixed {fixed[0]}, which follows from the spec\'s `train`: write "auto" there')


def _check_zero(path: str, zero: Mapping[str, Any]) -> None:
    stage = zero.get("stage", 0)
    if type(stage) is not int or stage not in range(4):
        raise PluginError(f"{path}: zero_optimization.stage is {json.dumps(stage)}, not 0, 1, 2 or 3")
    for name in OFFLOADS:
        section, kept = f"zero_optimization.{name}", zero.get(name) or {}
        _check_mapping(path, section, kept)
        if (device := kept.get("device", "none")) not in ("none", "cpu", "nvme"):
            raise PluginError(f"{path}: {section}.device is {json.dumps(device)}, not none, cpu or nvme")


def _check_mapping(path: str, section: str, found: Any) -> None:
    if not isinstance(found, dict):
        raise PluginError(f"{path}: {section} is no mapping")


def _enabled(section: Any) -> bool:
    if isinstance(section, dict):
        return bool(section) and section.get("enabled") is not False
    return section is not None and section is not False
