"""What is missing on this machine to run benchmarks, a line each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchspec.machine.describe import counted, describe
from benchspec.terms.units import size_text

#: the versions that can be used: from, and below (None: no bound is known); a test holds them to pyproject.toml
SUPPORTED: Mapping[str, tuple[str, str | None]] = {"torch": ("2.11", None), "transformers": ("5.17", "6")}


#: what NCCL's own troubleshooting guide asks of containers (`--shm-size=1g`); Docker gives 64 MiB where nobody asks
SHARED_MEMORY = 2**30


def blockers(facts: Mapping[str, Any]) -> list[str]:
    """Why nothing can be run here, a line a reason."""
    return [*_absent(facts), *_unsupported(facts), *_unusable(facts)]


def missing(facts: Mapping[str, Any] | None = None) -> list[str]:
    """What is missing to run here, a line each: what stops every run first, then what stops some."""
    facts = describe() if facts is None else facts
    return [*blockers(facts), *_cramped(facts), *_optional(facts)]


def _absent(facts: Mapping[str, Any]) -> list[str]:
    absent = [name for name in ("torch", "transformers", "accelerate") if not facts["libraries"][name]]
    verb = "is" if len(absent) == 1 else "are"
    return [f"{', '.join(absent)} {verb} not installed: pip install 'benchspec[train]'"] if absent else []


def _unsupported(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {found} is not supported ({_range(least, below)}): pip install --upgrade 'benchspec[train]'"
        for name, (least, below) in SUPPORTED.items()
        if (found := facts["libraries"][name]) and not _within(found, least, below)
    ]


def _range(least: str, below: str | None) -> str:
    return f"it must be {least} or newer" + (f", and older than {below}" if below else "")


def _within(found: str, least: str, below: str | None) -> bool:
    return _numbers(least) <= _numbers(found) and (below is None or _numbers(found) < _numbers(below))


def _numbers(text: str) -> list[int]:
    """The release of a version, all that the supported ranges need: `2.13.0+cpu` is 2, 13, 0."""
    return [int(number) for number in re.split(r"[^0-9.]", text)[0].strip(".").split(".")]


def _unusable(facts: Mapping[str, Any]) -> list[str]:
    """A torch that does not start, or that would train on the CPU in silence although there are GPUs."""
    torch, name = facts["torch"], f"torch {facts['libraries']['torch']}"
    if torch is None:
        return []
    if "error" in torch:
        return [f"{name} is installed, but cannot be imported: {torch['error']}"]
    if not facts["accelerators"] or torch["accelerators"]:
        return []
    return [f"the driver sees {counted(facts)}, but {name} sees none: {_remedy(facts)}"]


def _remedy(facts: Mapping[str, Any]) -> str:
    where, newest = "see https://pytorch.org/get-started/locally", facts["driver_cuda"]
    if all(accelerator["mig"] for accelerator in facts["accelerators"]):
        return "name a MIG slice that exists in CUDA_VISIBLE_DEVICES (nvidia-smi -L lists them)"
    if facts["torch"]["cuda"] is None:
        return f"it is built without CUDA; install one that is built with it ({where})"
    # Within a major version CUDA runs on older drivers too, so only the major one is asked for.
    older = f"CUDA {newest.partition('.')[0]}" if newest else "an older CUDA"
    driver = f"driver {facts['driver']} serves CUDA up to {newest}"
    return (
        f"it is built for CUDA {facts['torch']['cuda']} and {driver}; "
        f"install a newer driver, or a torch built for {older} ({where})"
    )


def _cramped(facts: Mapping[str, Any]) -> list[str]:
    shared = facts["shared_memory"]
    if len(facts["accelerators"]) < 2 or shared is None or shared >= SHARED_MEMORY:
        return []
    return [
        f"/dev/shm holds {size_text(shared)}, too little for NCCL between {len(facts['accelerators'])} GPUs: "
        "in a container, start it with --shm-size=1g or more, or with --ipc=host"
    ]


def _optional(facts: Mapping[str, Any]) -> list[str]:
    if facts["libraries"]["deepspeed"]:
        return []
    return ["deepspeed is not installed (only the backend 'deepspeed' needs it): pip install 'benchspec[deepspeed]'"]
