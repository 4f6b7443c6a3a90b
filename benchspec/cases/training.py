"""What the settings of a case's training need of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from benchspec.machine import accelerators
from benchspec.machine.compiling import REMEDIES, absent_tools
from benchspec.spec.document import Node
from benchspec.terms.attention import ON_GPUS
from benchspec.terms.errors import Problem


def missing_to_train(fields: Node, train: Mapping[str, Any], elsewhere: bool) -> list[Problem]:
    """What the settings in `train` need and this machine does not have; of GPUs nothing, if cases run `elsewhere`."""
    found = []
    if train["optimizer"] == "adamw_8bit" and find_spec("bitsandbytes") is None:
        message = "adamw_8bit needs bitsandbytes: pip install bitsandbytes"
        found.append(fields.at(["train", "optimizer"]).problem(message))
    if train["compile"] and (tool := "a C++ compiler") in absent_tools():
        found.append(fields.at(["train", "compile"]).problem(f"torch.compile needs {tool}: {REMEDIES[tool]}"))
    attention = train["attention"]
    if attention in ON_GPUS and not elsewhere and not accelerators():
        message = f"{attention} attention is trained on GPUs only, and this machine has none; choose another"
        found.append(fields.at(["train", "attention"]).problem(message))
    return found
