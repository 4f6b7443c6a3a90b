"""The command that starts the ranks of a case on one host, and the environment that it needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from benchspec.machine.cores import usable_cores
from benchspec.machine.process import MARK, THREADS
from benchspec_plugins.launchers import supervisor

#: in the case's folder, the output of whatever starts the ranks, and torchrun's own files
LOG, FILES = "torchrun.log", "torchrun"


class Host(NamedTuple):
    """One of the hosts of a case."""

    #: ranks that it runs
    processes: int
    #: how many hosts the case has, and which of them this is, from 0
    nodes: int = 1
    node: int = 0
    #: where the first host is reached by the others
    address: str = "127.0.0.1"
    port: int = 0
    #: the network interface that ranks talk over; None: the libraries choose one
    interface: str | None = None
    #: seconds that it waits for the others; None: as long as torchrun does, 10 minutes
    patience: int | None = None


def supervised(*role: str) -> list[str]:
    """The beginning of a command that the supervisor runs."""
    # Without `site`, which takes as long as all the rest of the start.
    return [sys.executable, "-P", "-S", supervisor.__file__, *role]


def torchrun(case_dir: Path, host: Host) -> list[str]:
    """torchrun with the ranks of one host."""
    # -P: a module in the working directory, such as a user's struct.py, must not replace one of Python's.
    python = [sys.executable, "-P", "-m"]
    rendezvous = ["--standalone"]
    if host.nodes > 1:
        place = [f"--nnodes={host.nodes}", f"--node-rank={host.node}"]
        rendezvous = [*place, f"--master-addr={host.address}", f"--master-port={host.port}"]
        if host.patience is not None:
            rendezvous.append(f"--rdzv-conf=timeout={host.patience}")
    # Hosts share the case's folder.
    files = FILES if host.node == 0 else f"{FILES}-{host.node}"
    return [
        *(*python, "torch.distributed.run", *rendezvous, f"--nproc-per-node={host.processes}"),
        *("--log-dir", str(case_dir / files), "--no-python"),
        *(*supervised("rank", str(case_dir)), *python, "benchspec.worker", str(case_dir)),
    ]


def settings(case_dir: Path, host: Host) -> dict[str, str]:
    """What the ranks of a host need in their environment, beside what is there."""
    # torchrun's default of one thread per process would leave other CPU cores idle.
    asked = os.environ.get("OMP_NUM_THREADS")
    threads = asked or str(max(1, int(usable_cores()) // host.processes))
    found = {"OMP_NUM_THREADS": threads, MARK: str(case_dir), "PYTHONUNBUFFERED": "1"}
    if not asked:
        found[THREADS] = threads
    if host.node:
        found[supervisor.NODE] = str(host.node)
    if host.interface:
        found |= dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), host.interface)
    return found


def environment(case_dir: Path, host: Host) -> dict[str, str]:
    """The environment of the ranks of this host."""
    # A job of several hosts, such as Kubeflow's, sets torchrun's options by such variables, the number of hosts among
    # them; what a group is told counts.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PET_")}
    return {**kept, **settings(case_dir, host)}
