"""Lets cases go wrong in every phase and in every way, and checks what benchspec says of each.

    python tests/campaigns/faults.py [--faults N] [--seed N] [--only PHASE-FAULT]... [FOLDER]

Real process groups of two ranks. Of each fault, the outcome, the phase, the rank and a part of the reason must be
right, and nothing may be left behind: no process, no temporary file. All of them take about twenty minutes on two
cores; `--faults` draws some. Exit code 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from tabulate import tabulate

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conftest import BENCHSPEC, install

#: fault -> the outcome, and a part of the reason
EXPECTED: Mapping[str, tuple[str, str]] = {
    "raises": ("crash", "ZeroDivisionError: a mistake of the plugin's author"),
    "unspeakable": ("crash", "Unspeakable"),
    "said_so": ("crash", "RuntimeError: row 7 says"),
    "memory": ("oom", "DefaultCPUAllocator"),
    "python_memory": ("oom", "MemoryError"),
    "host_memory": ("host-oom", "Cannot allocate memory"),
    "system_exit": ("crash", "SystemExit"),
    "leaves": ("crash", "exit"),
    "leaves_with_code": ("crash", "exit code 3"),
    "kills": ("crash", "signal 9"),
    "terminates": ("crash", "SIGTERM"),
    "crashes": ("crash", "SIGSEGV"),
    "aborts": ("crash", "the card fell off"),
    "daemon": ("crash", "ZeroDivisionError"),
    "sleeps": ("hang", ""),
    "spins": ("hang", ""),
    "stops": ("hang", ""),
}
HANGS = ("sleeps", "spins", "stops")
#: phase -> the field of a case with the plugin that goes wrong there, and that plugin
PLACES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "data": ("dataset", {"name": "faulty-rows"}),
    "build": ("model", {"name": "faulty-opt-tiny"}),
    "shard": ("backend", {"name": "faulty-ddp"}),
    "first-step": ("recipe", {"name": "faulty-loop", "step": 1}),
    "steady": ("recipe", {"name": "faulty-loop", "step": 3}),
    "save": ("recipe", {"name": "faulty-loop", "step": 0}),
}
BASE: Mapping[str, Any] = {
    "model": "opt-tiny",
    "dataset": {"name": "synthetic", "rows": 24},
    "backend": "ddp",
    "recipe": "loop",
    "launcher": {"name": "torchrun", "processes": 2},
    "train": {
        "precision": "fp32",
        "max_length": 512,
        "batch_size": 1,
        "gradient_accumulation": 2,
        "max_steps": 4,
        "epochs": 1,
        "save": {"final": True},
    },
    "limits": {"stall": "60 s", "timeout": "10 min"},
}
#: the daemon of the fault of that name
DAEMON = ["sleep", "3599"]


class Fault(NamedTuple):
    """A fault, where it happens, and on which rank."""

    phase: str
    fault: str
    rank: int


def every() -> list[Fault]:
    """Each fault in each phase, on either rank in turn; in `data`, whichever rank reads the rows."""
    pairs = [(phase, fault) for phase in PLACES for fault in EXPECTED]
    return [Fault(phase, fault, number % 2) for number, (phase, fault) in enumerate(pairs)]


def spec(faults: list[Fault]) -> dict[str, Any]:
    """A spec with one case a fault."""
    experiments = {}
    for phase, (field, plugin) in PLACES.items():
        mine = [each for each in faults if each.phase == phase]
        axes = [{f"{field}.fault": each.fault, f"{field}.rank": each.rank} for each in mine]
        if mine:
            experiments[phase] = {field: plugin, "matrix": {"include": axes}}
    return {"benchspec": 1, "name": "faults", "defaults": BASE, "experiments": experiments}


def wrong(fault: Fault, found: Mapping[str, Any] | None) -> str:
    """What is wrong with the result of a fault; empty if nothing is."""
    if found is None:
        return "no result"
    outcome, reason = EXPECTED[fault.fault]
    # In `data`, one rank reads for all; if it stands still, nothing tells it from those that wait for it.
    rank = (0, 1, None) if fault.phase == "data" else (fault.rank,)
    checks = {
        f"outcome {found['outcome']}, not {outcome}": found["outcome"] == outcome,
        f"phase {found['phase']}": found["phase"] == fault.phase,
        f"rank {found['rank']}": found["rank"] in rank,
        f"reason '{found['reason']}'": reason in (found["reason"] or ""),
    }
    return "; ".join(text for text, good in checks.items() if not good)


def left(folder: Path) -> list[str]:
    """Processes and temporary files that are still there."""
    # torch keeps compiled code in this one, for every process of a user.
    found = [str(path) for path in (folder / "tmp").iterdir() if not path.name.startswith("torchinductor_")]
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            mine = process.cmdline() == DAEMON or str(folder) in " ".join(process.cmdline())
            if mine and process.pid not in own and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except psutil.Error:
            continue
    return found


def drawn(number: int | None, seed: int, only: list[str]) -> list[Fault]:
    """Some of the faults: those that are named, or so many of them."""
    faults = [fault for fault in every() if not only or f"{fault.phase}-{fault.fault}" in only]
    return faults if number is None else random.Random(seed).sample(faults, number)


def main(folder: Path, faults: list[Fault]) -> int:
    (folder / "tmp").mkdir(parents=True)
    site = install(folder / "site", "faulty", (HERE / "faulty.py").read_text())
    (folder / "faults.yaml").write_text(json.dumps(spec(faults)))
    environment = {**os.environ, "PYTHONPATH": str(site), "TMPDIR": str(folder / "tmp")}
    ran = subprocess.run(
        [*BENCHSPEC, "run", "faults.yaml", "--reporter", "csv"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    lines = [json.loads(line) for line in (folder / "runs/faults/results.jsonl").read_text().splitlines()]
    found = {key(line): line for line in lines}
    rows = [[*fault, wrong(fault, found.get(fault))] for fault in faults]
    print(tabulate(rows, ["phase", "fault", "rank", "wrong"]))
    remains, bad = left(folder), sum(bool(row[-1]) for row in rows)
    print(f"{len(faults)} faults, {bad} wrong; left behind: {remains or 'nothing'}; exit code {ran.returncode}")
    return int(bool(bad or remains) or ran.returncode != 1)


def key(line: Mapping[str, Any]) -> Fault:
    """The fault that a line of the journal is the result of."""
    axes = {path.split(".")[-1]: value for path, value in line["axes"].items()}
    return Fault(line["experiment"], axes["fault"], axes["rank"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the run goes; a temporary folder")
    parser.add_argument("--faults", type=int, help="draw so many; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], metavar="PHASE-FAULT", help="these alone")
    given = parser.parse_args()
    start = (given.folder or Path(tempfile.mkdtemp())).absolute()
    sys.exit(main(start, drawn(given.faults, given.seed, given.only)))
