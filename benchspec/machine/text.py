"""A machine as text: the line under every report, and the output of `benchspec machine`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any

from benchspec.machine.describe import accelerator_names
from benchspec.terms.units import size_text


def line(facts: Mapping[str, Any]) -> str:
    """The line under every report, from what `describe` returned."""
    parts = [_gpu_text(facts), _host_text(facts), _kernel_text(facts), _software_text(facts), _benchspec_text(facts)]
    return "; ".join(parts)


def parts(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """The parts of a machine that results depend on, each as text; None for one that it does not have."""
    watts = sorted({each["power_limit"] or 0.0 for each in facts["accelerators"]} - {0.0})
    return {
        "accelerators": " ".join(filter(None, (accelerator_names(facts), _link_text(facts)))) or None,
        "power limit": ", ".join(f"{limit:.0f} W" for limit in watts) or None,
        "driver": facts["driver"],
        "cpu": f"{_cpu_text(facts['cpu'])}, {_cores_text(facts['cpu'])}",
    }


def report(facts: Mapping[str, Any], missing: Sequence[str], measured: Mapping[str, float | None] | None = None) -> str:
    """The output of `benchspec machine`, from what `describe`, `missing` and, if asked to, `ceilings` returned."""
    sections = {
        "Accelerators": _accelerator_rows(facts),
        "Links between accelerators": _link_rows(facts),
        "Host": _host_rows(facts),
        "Software": _software_rows(facts),
        "Measured": _measured_rows(measured or {}),
    }
    texts = [f"{title}\n{_table(rows)}" for title, rows in sections.items() if rows]
    return "\n\n".join([*texts, _missing_text(missing)]) + "\n"


def _gpu_text(facts: Mapping[str, Any]) -> str:
    if not facts["accelerators"]:
        return "no accelerator"
    torch = facts["torch"] or {}
    versions = {
        "driver": facts["driver"],
        "CUDA": torch.get("cuda"),
        "ROCm": torch.get("hip"),
        "NCCL": torch.get("nccl"),
    }
    gpus = " ".join(filter(None, (accelerator_names(facts), _link_text(facts))))
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
    return ", ".join([_cpu_text(facts["cpu"]), _cores_text(facts["cpu"]), f"{size_text(facts['memory'])} RAM"])


def _cpu_text(cpu: Mapping[str, Any]) -> str:
    """`2 × Intel Xeon Platinum 8470` from what the kernel calls `Intel(R) Xeon(R) Platinum 8470 CPU @ 2.00GHz`."""
    model = " ".join(re.sub(r"\((R|TM)\)|\bCPU\b|@.*", " ", cpu["model"]).split())
    return f"{cpu['sockets']} × {model}" if cpu["sockets"] else model


def _cores_text(cpu: Mapping[str, Any]) -> str:
    """`104 cores`, or with a limit by a container or scheduler: `104 cores (16 of 208 threads usable)`."""
    cores = f"{cpu['cores']} cores" if cpu["cores"] else f"{cpu['threads']} threads"
    usable = f" ({cpu['usable']:g} of {cpu['threads']} threads usable)"
    return cores if cpu["usable"] == cpu["threads"] else cores + usable


def _kernel_text(facts: Mapping[str, Any]) -> str:
    """`Linux 5.15` from `Linux 5.15.0-91-generic`."""
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


def _table(rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    return indent(tabulate(rows, tablefmt="plain", disable_numparse=True), "  ")


def _measured_rows(measured: Mapping[str, float | None]) -> list[list[str]]:
    labels = {
        **{precision: f"matrix products, {precision}" for precision in ("fp32", "tf32", "bf16")},
        "memory_bandwidth": "memory",
        "host_to_device": "host to device",
    }
    units = {name: "GB/s" if "_" in name else "GFLOP/s" for name in labels}
    return [
        [label, f"{value / 1e9:{',.0f' if value >= 1e10 else '.2g'}} {units[name]}"]
        for name, label in labels.items()
        if (value := measured.get(name)) is not None
    ]


def _accelerator_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    rows = [[str(index), *_accelerator_row(each)] for index, each in enumerate(facts["accelerators"])]
    return rows or [["none"]]


def _accelerator_row(accelerator: Mapping[str, Any]) -> list[str]:
    memory, watts = accelerator["memory"], accelerator["power_limit"]
    return [
        accelerator["name"],
        size_text(memory) if memory is not None else "",
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
        ["memory", size_text(facts["memory"])],
        ["/dev/shm", size_text(shared) if shared is not None else ""],
        ["system", f"{facts['os']}, {facts['kernel']}"],
    ]
    return [row for row in rows if row[1]]


def _software_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    torch = facts["torch"] or {}
    built = {
        "CUDA (of torch)": torch.get("cuda"),
        "ROCm (of torch)": torch.get("hip"),
        "cuDNN": torch.get("cudnn"),
        "NCCL": torch.get("nccl"),
    }
    versions = {"NVIDIA driver": facts["driver"], "CUDA (newest for driver)": facts["driver_cuda"], **built}
    libraries = {name: found or "not installed" for name, found in facts["libraries"].items()}
    commit = {"benchspec's commit": _commit_text(facts["commit"], 40)}
    found = {"Python": facts["python"], **libraries, **commit, **versions}
    return [[name, value] for name, value in found.items() if value]


def _missing_text(missing: Sequence[str]) -> str:
    if not missing:
        return "nothing is missing to run benchmarks"
    return "\n".join(["Missing", *(f"  - {each}" for each in missing)])
