"""What is missing on this machine to run benchmarks, one line each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from benchspec.machine.compiling import REMEDIES
from benchspec.machine.describe import accelerator_names, describe
from benchspec.terms.errors import install
from benchspec.terms.units import size_text

#: supported versions: at least, and below (None: no upper bound); a test compares them with pyproject.toml
SUPPORTED: Mapping[str, tuple[str, str | None]] = {"torch": ("2.11", None), "transformers": ("5.17", "6")}

#: bytes that NCCL's troubleshooting guide recommends for containers (`--shm-size=1g`); Docker's default is 64 MiB
SHARED_MEMORY = 2**30


def blockers(facts: Mapping[str, Any]) -> list[str]:
    """Why nothing can run here, one line per reason."""
    return [*_not_installed(facts), *_unsupported(facts), *_unusable(facts)]


def missing(facts: Mapping[str, Any] | None = None) -> list[str]:
    """Everything that is missing here, one line each: first what stops every run, then what stops some."""
    facts = describe() if facts is None else facts
    return [*blockers(facts), *_little_shared_memory(facts), *_optional(facts), *_tools(facts)]


def _not_installed(facts: Mapping[str, Any]) -> list[str]:
    absent = [name for name in ("torch", "transformers", "accelerate") if not facts["libraries"][name]]
    verb = "is" if len(absent) == 1 else "are"
    return [f"{', '.join(absent)} {verb} not installed: {install('train')}"] if absent else []


def _unsupported(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {found} is not supported ({_range(least, below)}): pip install '{name}{_wanted(least, below)}'"
        for name, (least, below) in SUPPORTED.items()
        if (found := facts["libraries"][name]) and not _within(found, least, below)
    ]


def _range(least: str, below: str | None) -> str:
    return f"it must be {least} or newer" + (f", and older than {below}" if below else "")


def _wanted(least: str, below: str | None) -> str:
    return f">={least}" + (f",<{below}" if below else "")


def _within(found: str, least: str, below: str | None) -> bool:
    return _numbers(least) <= _numbers(found) and (below is None or _numbers(found) < _numbers(below))


def _numbers(text: str) -> list[int]:
    """The release part of a version, which suffices for the supported ranges: `2.13.0+cpu` is 2, 13, 0."""
    return [int(number) for number in re.split(r"[^0-9.]", text)[0].strip(".").split(".")]


def _unusable(facts: Mapping[str, Any]) -> list[str]:
    """A torch that cannot be imported, or that would silently train on the CPU although there are GPUs."""
    torch, name = facts["torch"], f"torch {facts['libraries']['torch']}"
    if torch is None:
        return []
    if "error" in torch:
        return [f"{name} is installed, but cannot be imported: {torch['error']}"]
    if not facts["accelerators"] or torch["accelerators"]:
        return []
    return [f"the driver sees {accelerator_names(facts)}, but {name} sees none: {_remedy(facts)}"]


def _remedy(facts: Mapping[str, Any]) -> str:
    where, newest = "see https://pytorch.org/get-started/locally", facts["driver_cuda"]
    if all(accelerator["mig"] for accelerator in facts["accelerators"]):
        return "set CUDA_VISIBLE_DEVICES to an existing MIG slice (`nvidia-smi -L` lists them)"
    if facts["torch"]["cuda"] is None:
        return f"it is built without CUDA; install a CUDA build ({where})"
    # CUDA's minor versions also run on older drivers of the same major version, so only the major version matters.
    older = f"CUDA {newest.partition('.')[0]}" if newest else "an older CUDA"
    driver = f"driver {facts['driver']} supports CUDA up to {newest}"
    return (
        f"it is built for CUDA {facts['torch']['cuda']} and {driver}; "
        f"install a newer driver, or a torch built for {older} ({where})"
    )


def _little_shared_memory(facts: Mapping[str, Any]) -> list[str]:
    shared = facts["shared_memory"]
    if len(facts["accelerators"]) < 2 or shared is None or shared >= SHARED_MEMORY:
        return []
    return [
        f"/dev/shm has {size_text(shared)}, too little for NCCL with {len(facts['accelerators'])} GPUs: "
        "if this is a container, start it with --shm-size=1g or more, or with --ipc=host"
    ]


#: the library that stands for an extra -> the extra, and what alone needs it
OPTIONAL: Mapping[str, tuple[str, str]] = {
    "deepspeed": ("deepspeed", "the backend 'deepspeed'"),
    "peft": ("methods", "the method 'lora'"),
    "rouge_score": ("generate", "the dataset 'generated'"),
    "submitit": ("slurm", "the launcher 'slurm'"),
    "matplotlib": ("figures", "the reporters 'figures' and 'html'"),
    "scipy": ("compare", "the commands compare, ab and history"),
}


def _optional(facts: Mapping[str, Any]) -> list[str]:
    known = facts["libraries"]
    return [
        f"{name} is not installed (only {use} needs it): {install(extra)}"
        for name, (extra, use) in OPTIONAL.items()
        if (not known[name] if name in known else find_spec(name) is None)
    ]


def _tools(facts: Mapping[str, Any]) -> list[str]:
    """What DeepSpeed compiles its optimizer for offloaded states with, which it uses where there are GPUs."""
    if not facts["accelerators"] or not facts["libraries"]["deepspeed"]:
        return []
    use = "only 'offload_optimizer' of the backend 'deepspeed' needs it"
    return [f"{tool} is not found ({use}): {REMEDIES[tool]}" for tool in facts["absent_tools"]]
