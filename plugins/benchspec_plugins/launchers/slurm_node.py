"""A node's part of a case's job: `slurm_node.py CASE_DIR PROCESSES INTERFACE`, run by srun once a node.

It becomes the supervisor of this node's ranks. On the first node, it also has the machine described.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from benchspec_plugins.launchers.commands import Host, environment, supervised, torchrun

#: the first of the ports at which processes of several nodes meet, and how many there are: a job takes its own
PORTS = 20_000, 20_000


def main(case_dir: Path, processes: int, interface: str) -> None:
    """Start this node's part; does not return."""
    nodes, node = int(os.environ.get("SLURM_NNODES", 1)), int(os.environ.get("SLURM_NODEID", 0))
    first, count = PORTS
    host = Host(
        processes,
        nodes=nodes,
        node=node,
        address=_address_of_first_node() if nodes > 1 else "127.0.0.1",
        port=first + int(os.environ["SLURM_JOB_ID"]) % count,
        interface=interface or None,
    )
    if node == 0:
        # Beside the ranks, which take seconds to import their libraries.
        subprocess.Popen([sys.executable, "-P", "-m", "benchspec.running.there", str(case_dir)])
    command = [*supervised("group", str(os.getppid()), str(case_dir)), *torchrun(case_dir, host)]
    os.execve(command[0], command, environment(case_dir, host))


def _address_of_first_node() -> str:
    first = _scontrol("hostnames", os.environ["SLURM_JOB_NODELIST"]).split()[0]
    # The name of a node need not be that of a host.
    found = re.search(r"NodeAddr=(\S+)", _scontrol("node", first))
    return found[1] if found else first


def _scontrol(*asked: str) -> str:
    return subprocess.run(["scontrol", "show", *asked], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
