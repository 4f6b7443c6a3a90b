"""A description of this machine: hardware, versions, commit.

It contains neither the host name nor environment variables, so it can be published as it is.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchspec.machine.cores import usable_cores
from benchspec.machine.nvml import nvidia
from benchspec.machine.probe import torch_facts
from benchspec.machine.visible import seen_by_torch

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


def describe() -> dict[str, Any]:
    """Everything known about this machine, as JSON values; None for what is unknown. Takes about 2 s."""
    libraries = {name: _version(name) for name in LIBRARIES}
    torch = torch_facts() if libraries["torch"] else None
    return {
        **seen_by_torch(nvidia(), torch),
        "cpu": _cpu(),
        **_memory(),
        "os": _os(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": libraries,
        "torch": torch,
        "commit": _commit(Path(__file__).parents[2]),
    }


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


def _commit(root: Path) -> dict[str, Any] | None:
    """The commit of a checkout, and whether tracked files differ from it; None if `root` is not a checkout."""
    # Without this, an installation inside somebody else's repository would report that repository's commit.
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    commit, _, dirty = done.stdout.strip().partition("-")
    return {"id": commit, "dirty": bool(dirty)}


def accelerator_names(facts: Mapping[str, Any]) -> str:
    """The accelerators as text: `8 × NVIDIA H100 80GB HBM3`."""
    names = Counter(accelerator["name"] for accelerator in facts["accelerators"])
    return ", ".join(f"{count} × {name}" for name, count in names.items())
