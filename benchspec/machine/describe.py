"""A description of this machine: hardware, versions, commit.

It contains neither the host name nor environment variables, so it can be published as it is.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchspec.machine.checkout import commit_of_package
from benchspec.machine.compiling import absent_tools
from benchspec.machine.cores import usable_cores
from benchspec.machine.nvml import nvidia
from benchspec.machine.probe import torch_facts
from benchspec.machine.visible import only_torch_knows, seen_by_torch

LIBRARIES = (
    "benchspec",
    "torch",
    "transformers",
    "accelerate",
    "deepspeed",
    "datasets",
    "tokenizers",
    "numpy",
    "pluggy",
)
#: those of them that what is measured depends on
_COMPUTING = ("benchspec", "torch", "transformers", "accelerate", "deepspeed", "tokenizers")


def describe() -> dict[str, Any]:
    """Everything known about this machine, as JSON values; None for what is unknown. Takes about 2 s."""
    return completely(quickly())


def completely(found: Mapping[str, Any]) -> dict[str, Any]:
    """What `quickly` returned, and what only torch knows; asking torch takes about 2 s."""
    return {**found, "torch": _torch()} if found["torch"] is None else dict(found)


def quickly() -> dict[str, Any]:
    """What is known about this machine without asking torch, which is asked only if accelerators depend on it."""
    torch = _torch() if only_torch_knows() else None
    return {
        **seen_by_torch(nvidia(), torch),
        "cpu": _cpu(),
        **_memory(),
        "os": _os(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "torch": torch,
        "absent_tools": absent_tools(),
        "commit": commit_of_package(Path(__file__).parents[1]),
    }


def computing(found: Mapping[str, Any]) -> dict[str, str | None]:
    """The versions of Python and of the libraries that what is measured depends on, of what `quickly` returned."""
    return {"python": found["python"], **{name: found["libraries"][name] for name in _COMPUTING}}


def _torch() -> dict[str, Any] | None:
    return torch_facts() if _version("torch") else None


def _cpu() -> dict[str, Any]:
    """Model, sockets, physical cores, logical cores (`threads`), and how many of the latter this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return {**_cpuinfo(text), **_cores()}


def _cpuinfo(text: str) -> dict[str, Any]:
    """The model and the number of sockets; the latter is unknown on Arm, macOS and some virtual machines."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (row.partition(":") for row in text.splitlines())]
    models = [value for key, value in pairs if key == "model name"] or [platform.processor() or platform.machine()]
    sockets = {value for key, value in pairs if key == "physical id"}
    return {"model": models[0], "sockets": len(sockets) or None}


def _cores() -> dict[str, Any]:
    import psutil

    return {"cores": psutil.cpu_count(logical=False), "threads": os.cpu_count() or 1, "usable": usable_cores()}


def _memory() -> dict[str, int | None]:
    """Bytes of RAM, and of the shared memory that NCCL uses between processes."""
    import psutil

    shared = Path("/dev/shm")
    total = int(psutil.virtual_memory().total)
    return {"memory": total, "shared_memory": shutil.disk_usage(shared).total if shared.is_dir() else None}


def _os() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"macOS {platform.mac_ver()[0]}" if platform.mac_ver()[0] else platform.system()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def accelerator_names(facts: Mapping[str, Any]) -> str:
    """The accelerators as text: `8 × NVIDIA H100 80GB HBM3`."""
    names = Counter(accelerator["name"] for accelerator in facts["accelerators"])
    return ", ".join(f"{count} × {name}" for name, count in names.items())
