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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import indent
from typing import Any

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


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A GPU that this process may use, or a MIG slice of one."""

    name: str
    uuid: str | None
    #: bytes; None for a GPU in MIG mode, of which a process gets a slice of unknown size
    memory: int | None
    #: watts
    power_limit: float | None
    #: whether it is a slice, or a GPU that is cut into slices
    mig: bool


def accelerators() -> list[Accelerator]:
    """The NVIDIA GPUs that this process may use, in NVML's order (by PCI bus); none where there is no driver."""
    with _nvml() as nvml:
        return [_accelerator(nvml, handle) for handle in _handles(nvml)]


def describe() -> dict[str, Any]:
    """Everything that is known of this machine, as JSON can hold it; None where a figure is not known. Takes 2 s."""
    libraries = {name: _version(name) for name in LIBRARIES}
    return {
        **_nvidia(),
        "cpu": _cpu(),
        **_memory(),
        "os": _os(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": libraries,
        "torch": torch_facts() if libraries["torch"] else None,
        "commit": _commit(Path(__file__).parents[1]),
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


def line(facts: Mapping[str, Any]) -> str:
    """The line that stands under every report, of what `describe` found."""
    parts = [_gpu_text(facts), _host_text(facts), _kernel_text(facts), _software_text(facts), _benchspec_text(facts)]
    return "; ".join(parts)


def report(facts: Mapping[str, Any], lacking: Sequence[str]) -> str:
    """The text of `benchspec machine`, of what `describe` and `missing` found."""
    sections = {
        "Accelerators": _accelerator_rows(facts),
        "Links between accelerators": _link_rows(facts),
        "Host": _host_rows(facts),
        "Software": _software_rows(facts),
    }
    texts = [f"{title}\n{_table(rows)}" for title, rows in sections.items() if rows]
    return "\n\n".join([*texts, _missing_text(lacking)]) + "\n"


def joules(uuid: str | None) -> float | None:
    """What an accelerator has used since its driver was loaded; None where it does not count, or there is none."""
    with _nvml() as nvml:
        handle = _ask(nvml.nvmlDeviceGetHandleByUUID, uuid) if nvml and uuid else None
        millijoules = _ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle) if handle else None
    return None if millijoules is None else millijoules / 1000


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, started and ended again; None where it cannot start: no library, no driver, no permission."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        _ask(pynvml.nvmlShutdown)


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """What NVML answers; None where it cannot say, as it often cannot in virtual machines and for MIG slices."""
    import pynvml

    try:
        return function(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes | None) -> str | None:
    """NVML's text: bytes in some versions of its Python package, str in others."""
    return value.decode() if isinstance(value, bytes) else value


def _handles(nvml: Any) -> list[Any]:
    """NVML's handles of what CUDA_VISIBLE_DEVICES leaves visible."""
    if nvml is None:
        return []
    found = [_ask(nvml.nvmlDeviceGetHandleByIndex, index) for index in range(_ask(nvml.nvmlDeviceGetCount) or 0)]
    # A GPU that this process has no permission for is counted by NVML, and skipped by CUDA.
    present = [handle for handle in found if handle is not None]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return present if chosen is None else _chosen(nvml, present, chosen.split(","))


def _chosen(nvml: Any, present: list[Any], entries: list[str]) -> list[Any]:
    """The handles that the entries name; as in CUDA, an entry that names nothing hides itself and all after it."""
    handles: list[Any] = []
    for entry in entries:
        handle = _handle(nvml, present, entry.strip())
        if handle is None:
            break
        handles.append(handle)
    return handles


def _handle(nvml: Any, present: list[Any], entry: str) -> Any:
    """The handle for an index, for the beginning of a GPU's UUID, or for a MIG slice's whole one."""
    if entry.isdecimal():
        return present[int(entry)] if int(entry) < len(present) else None
    if entry.startswith("MIG-"):
        return _ask(nvml.nvmlDeviceGetHandleByUUID, entry)
    if not entry.startswith("GPU-"):
        return None
    return next((handle for handle in present if (_uuid(nvml, handle) or "").startswith(entry)), None)


def _uuid(nvml: Any, handle: Any) -> str | None:
    return _text(_ask(nvml.nvmlDeviceGetUUID, handle))


def _accelerator(nvml: Any, handle: Any) -> Accelerator:
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    milliwatts = _ask(nvml.nvmlDeviceGetPowerManagementLimit, handle)
    uuid = _uuid(nvml, handle)
    cut = (_ask(nvml.nvmlDeviceGetMigMode, handle) or [None])[0] == nvml.NVML_DEVICE_MIG_ENABLE
    return Accelerator(
        name=_text(_ask(nvml.nvmlDeviceGetName, handle)) or "unknown",
        uuid=uuid,
        memory=None if memory is None or cut else int(memory.total),
        power_limit=None if milliwatts is None else milliwatts / 1000,
        mig=cut or (uuid or "").startswith("MIG-"),
    )


def _nvidia() -> dict[str, Any]:
    """The accelerators, what joins them, the driver, and the newest CUDA that the driver can serve."""
    with _nvml() as nvml:
        handles = _handles(nvml)
        return {
            "accelerators": [asdict(_accelerator(nvml, handle)) for handle in handles],
            "links": _links(nvml, handles) if len(handles) > 1 else [],
            "driver": _text(_ask(nvml.nvmlSystemGetDriverVersion)) if nvml else None,
            "driver_cuda": _cuda(_ask(nvml.nvmlSystemGetCudaDriverVersion)) if nvml else None,
        }


def _cuda(number: int | None) -> str | None:
    """12080 is CUDA 12.8."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _links(nvml: Any, handles: list[Any]) -> list[list[str]]:
    """What joins each pair, in the words of `nvidia-smi topo -m`."""
    ends = [_nvlink_ends(nvml, handle) for handle in handles]
    return [
        ["X" if row == column else _link(nvml, one, other, ends[row]) for column, other in enumerate(handles)]
        for row, one in enumerate(handles)
    ]


def _nvlink_ends(nvml: Any, handle: Any) -> list[bytes]:
    """The PCI address at the far end of each NVLink in use: another GPU's, or a switch's."""
    used = [n for n in range(nvml.NVML_NVLINK_MAX_LINKS) if _ask(nvml.nvmlDeviceGetNvLinkState, handle, n) == 1]
    return [_bus(_ask(nvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, n)) for n in used]


def _bus(pci: Any) -> bytes:
    return b"" if pci is None else pci.busId


def _link(nvml: Any, one: Any, other: Any, ends: list[bytes]) -> str:
    if _ask(nvml.nvmlDeviceGetP2PStatus, one, other, nvml.NVML_P2P_CAPS_INDEX_NVLINK) == nvml.NVML_P2P_STATUS_OK:
        # Links that end at the other GPU are counted; where a switch stands between, all of them lead there.
        direct = ends.count(_bus(_ask(nvml.nvmlDeviceGetPciInfo, other)))
        return f"NV{direct or len(ends) or '?'}"
    return _PCIE.get(_ask(nvml.nvmlDeviceGetTopologyCommonAncestor, one, other), "?")


#: NVML_TOPOLOGY_* as `nvidia-smi topo -m` abbreviates it: one PCIe switch, several, a host bridge, a NUMA node, beyond
_PCIE: Mapping[int | None, str] = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}


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


def _unusable(facts: Mapping[str, Any]) -> list[str]:
    """A torch that does not start, or that would train on the CPU in silence although there are GPUs."""
    torch, name = facts["torch"], f"torch {facts['libraries']['torch']}"
    if torch is None:
        return []
    if "error" in torch:
        return [f"{name} is installed, but cannot be imported: {torch['error']}"]
    if not facts["accelerators"] or torch["accelerators"]:
        return []
    return [f"the driver sees {_counted(facts)}, but {name} sees none: {_remedy(facts)}"]


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
        f"/dev/shm holds {_size(shared)}, too little for NCCL between {len(facts['accelerators'])} GPUs: "
        "in a container, start it with --shm-size=1g or more, or with --ipc=host"
    ]


def _optional(facts: Mapping[str, Any]) -> list[str]:
    if facts["libraries"]["deepspeed"]:
        return []
    return ["deepspeed is not installed (only the backend 'deepspeed' needs it): pip install 'benchspec[deepspeed]'"]


def _counted(facts: Mapping[str, Any]) -> str:
    names = Counter(accelerator["name"] for accelerator in facts["accelerators"])
    return ", ".join(f"{count} × {name}" for name, count in names.items())


def _gpu_text(facts: Mapping[str, Any]) -> str:
    if not facts["accelerators"]:
        return "no accelerator"
    torch = facts["torch"] or {}
    versions = {"driver": facts["driver"], "CUDA": torch.get("cuda"), "NCCL": torch.get("nccl")}
    gpus = " ".join(filter(None, (_counted(facts), _link_text(facts))))
    return ", ".join([gpus, *_named(versions)])


def _named(versions: Mapping[str, str | None]) -> list[str]:
    return [f"{name} {found}" for name, found in versions.items() if found]


def _link_text(facts: Mapping[str, Any]) -> str:
    kinds = {kind[:2] for row in facts["links"] for kind in row if kind != "X"}
    if not kinds or "?" in kinds:
        return ""
    if "NV" not in kinds:
        return "(PCIe)"
    return "(NVLink)" if kinds == {"NV"} else "(NVLink and PCIe)"


def _host_text(facts: Mapping[str, Any]) -> str:
    return ", ".join([_cpu_text(facts["cpu"]), _cores_text(facts["cpu"]), f"{_size(facts['memory'])} RAM"])


def _cpu_text(cpu: Mapping[str, Any]) -> str:
    """`2 × Intel Xeon Platinum 8470` of what the kernel calls `Intel(R) Xeon(R) Platinum 8470 CPU @ 2.00GHz`."""
    model = " ".join(re.sub(r"\((R|TM)\)|\bCPU\b|@.*", " ", cpu["model"]).split())
    return f"{cpu['sockets']} × {model}" if cpu["sockets"] else model


def _cores_text(cpu: Mapping[str, Any]) -> str:
    """`104 cores`, and what a container or a scheduler leaves of them: `104 cores (16 of 208 threads usable)`."""
    cores = f"{cpu['cores']} cores" if cpu["cores"] else f"{cpu['threads']} threads"
    usable = f" ({cpu['usable']:g} of {cpu['threads']} threads usable)"
    return cores if cpu["usable"] == cpu["threads"] else cores + usable


def _kernel_text(facts: Mapping[str, Any]) -> str:
    """`Linux 5.15` of `Linux 5.15.0-91-generic`."""
    found = re.match(r"\S+ \d+\.\d+", facts["kernel"])
    return found[0] if found else str(facts["kernel"])


def _software_text(facts: Mapping[str, Any]) -> str:
    titles = {"torch": "torch", "transformers": "transformers", "deepspeed": "DeepSpeed"}
    versions = {title: facts["libraries"][name] for name, title in titles.items()}
    return ", ".join([f"Python {facts['python']}", *_named(versions)])


def _benchspec_text(facts: Mapping[str, Any]) -> str:
    commit = _commit_text(facts["commit"], 7)
    return f"benchspec {facts['libraries']['benchspec']}" + (f" ({commit})" if commit else "")


def _commit_text(commit: Mapping[str, Any] | None, digits: int) -> str:
    return commit["id"][:digits] + (", modified" if commit["dirty"] else "") if commit else ""


def _size(amount: float) -> str:
    """Bytes in binary units: `2.0 TiB`, `79.6 GiB`, `64.0 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _table(rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    return indent(tabulate(rows, tablefmt="plain", disable_numparse=True), "  ")


def _accelerator_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    rows = [[str(index), *_accelerator_row(each)] for index, each in enumerate(facts["accelerators"])]
    return rows or [["none"]]


def _accelerator_row(accelerator: Mapping[str, Any]) -> list[str]:
    memory, watts = accelerator["memory"], accelerator["power_limit"]
    return [
        accelerator["name"],
        _size(memory) if memory is not None else "",
        f"{watts:.0f} W" if watts is not None else "",
        "MIG" if accelerator["mig"] else "",
    ]


def _link_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    links = facts["links"]
    header = ["", *(str(index) for index in range(len(links)))]
    return [header, *([str(index), *row] for index, row in enumerate(links))] if links else []


def _host_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    shared = facts["shared_memory"]
    rows = [
        ["processor", _cpu_text(facts["cpu"])],
        ["cores", _cores_text(facts["cpu"])],
        ["memory", _size(facts["memory"])],
        ["/dev/shm", _size(shared) if shared is not None else ""],
        ["system", f"{facts['os']}, {facts['kernel']}"],
    ]
    return [row for row in rows if row[1]]


def _software_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    torch = facts["torch"] or {}
    built = {"CUDA (torch's)": torch.get("cuda"), "cuDNN": torch.get("cudnn"), "NCCL": torch.get("nccl")}
    versions = {"NVIDIA driver": facts["driver"], "CUDA (driver's, at most)": facts["driver_cuda"], **built}
    libraries = {name: found or "not installed" for name, found in facts["libraries"].items()}
    commit = {"benchspec's commit": _commit_text(facts["commit"], 40)}
    found = {"Python": facts["python"], **libraries, **commit, **versions}
    return [[name, value] for name, value in found.items() if value]


def _missing_text(lacking: Sequence[str]) -> str:
    if not lacking:
        return "nothing is missing to run"
    return "\n".join(["Missing", *(f"  - {each}" for each in lacking)])
