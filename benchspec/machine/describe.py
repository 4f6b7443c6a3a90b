"""What this machine is: hardware, versions, commit, and what is missing to run here.

Neither the host's name nor environment variables are looked at, so a description can be published as it is.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchspec.machine.nvml import nvidia
from benchspec.terms.units import size_text

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


#: the versions that can be used: from, and below (None: no bound is known); a test holds them to pyproject.toml
SUPPORTED: Mapping[str, tuple[str, str | None]] = {"torch": ("2.11", None), "transformers": ("5.17", "6")}


#: what NCCL's own troubleshooting guide asks of containers (`--shm-size=1g`); Docker gives 64 MiB where nobody asks
SHARED_MEMORY = 2**30


def describe() -> dict[str, Any]:
    """Everything that is known of this machine, as JSON can hold it; None where a figure is not known. Takes 2 s."""
    libraries = {name: _version(name) for name in LIBRARIES}
    return {
        **nvidia(),
        "cpu": _cpu(),
        **_memory(),
        "os": _os(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": libraries,
        "torch": torch_facts() if libraries["torch"] else None,
        "commit": _commit(Path(__file__).parents[2]),
    }


def torch_facts() -> dict[str, Any]:
    """What only torch can tell: its CUDA, cuDNN and NCCL, and how many GPUs it can use; `error` where it cannot start.

    A process of its own: importing torch takes seconds, and a process that has asked CUDA cannot fork for it any more.
    """
    try:
        done = subprocess.run([sys.executable, "-c", _TORCH_PROBE], capture_output=True, text=True, timeout=120)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return {"error": "it gave no answer within 120 s"}
    except (IndexError, ValueError):
        return {"error": (done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"])[-1]}


def blockers(facts: Mapping[str, Any]) -> list[str]:
    """Why nothing can be run here, a line a reason."""
    return [*_absent(facts), *_unsupported(facts), *_unusable(facts)]


def missing(facts: Mapping[str, Any] | None = None) -> list[str]:
    """What is missing to run here, a line each: what stops every run first, then what stops some."""
    facts = describe() if facts is None else facts
    return [*blockers(facts), *_cramped(facts), *_optional(facts)]


def _cpu() -> dict[str, Any]:
    """Model, sockets, physical cores, logical ones (`threads`), and how many of these this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return {**_cpuinfo(text), **_cores()}


def _cpuinfo(text: str) -> dict[str, Any]:
    """The model, and the number of sockets, which Arm, macOS and some virtual machines do not say."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (row.partition(":") for row in text.splitlines())]
    models = [value for key, value in pairs if key == "model name"] or [platform.processor() or platform.machine()]
    sockets = {value for key, value in pairs if key == "physical id"}
    return {"model": models[0], "sockets": len(sockets) or None}


def _cores() -> dict[str, Any]:
    import psutil

    threads = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
    quota = _cpu_quota()
    usable = allowed if quota is None else min(allowed, quota)
    return {"cores": psutil.cpu_count(logical=False), "threads": threads, "usable": usable}


def _cpu_quota(own: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """The CPUs' worth of time that the tightest control group around this process allows; None: as much as it likes."""
    try:
        memberships = [row.split(":", 2) for row in own.read_text().splitlines()]
    except OSError:
        return None
    limits = [_cpu_limit(folder) for _, names, path in memberships for folder in _groups(mount, names, path)]
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(mount: Path, names: str, path: str) -> list[Path]:
    """A group and those around it, if they are of the unified hierarchy (no names) or have to do with the CPU."""
    if names and "cpu" not in names.split(","):
        return []
    root = mount / "cpu" if names else mount
    inner = root / path.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]


def _cpu_limit(group: Path) -> float | None:
    """A group's own limit: `cpu.max` in version 2 of control groups, two files in version 1."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except OSError:
        return None
    return None if quota in ("max", "-1") else int(quota) / int(period)


def _memory() -> dict[str, int | None]:
    """Bytes of RAM, and of the shared memory through which NCCL's processes exchange data."""
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
    """The commit of a checkout, and whether tracked files differ from it; None where `root` is no checkout."""
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


# `device_count` alone asks NVML and counts GPUs that the driver is too old for; `is_available` asks CUDA.


_TORCH_PROBE = """
import json, torch


def dotted(number):
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}" if number else None

built = torch.version.cuda
has_nccl = built and torch.distributed.is_available() and torch.distributed.is_nccl_available()
print(json.dumps({
    "cuda": built,
    "cudnn": dotted(torch.backends.cudnn.version()) if built else None,
    "nccl": ".".join(map(str, torch.cuda.nccl.version())) if has_nccl else None,
    "accelerators": torch.cuda.device_count() if torch.cuda.is_available() else 0,
}))
"""


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


def counted(facts: Mapping[str, Any]) -> str:
    names = Counter(accelerator["name"] for accelerator in facts["accelerators"])
    return ", ".join(f"{count} × {name}" for name, count in names.items())


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
