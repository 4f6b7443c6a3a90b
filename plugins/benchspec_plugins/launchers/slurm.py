"""Cases as jobs of Slurm, submitted through submitit."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchspec import End, Facts, Handle, Launcher, PluginError, hookimpl
from benchspec.terms.errors import install
from benchspec.terms.layout import CASE

#: a value of an option of sbatch: no blank or quote, so that it is one word to a shell
_WORD = "^[A-Za-z0-9_.,:@=+*/()&|\\[\\]][A-Za-z0-9_.,:@=+*/()&|\\[\\]-]*$(?!\n)"
#: further options of sbatch; none of them runs a command
SBATCH = (
    *("constraint", "cpus-per-gpu", "cpus-per-task", "dependency", "exclude", "gres", "licenses", "mem", "mem-per-cpu"),
    *("mem-per-gpu", "nice", "nodelist", "priority", "qos", "reservation", "switches", "wckey"),
)


#: what is called of Slurm
PROGRAMS = ("sbatch", "scontrol", "scancel", "sinfo")


class Slurm(Launcher):
    """Each case is a job of Slurm; several wait in its queue at once, and the time there counts for nothing.

    The run directory must be on a file system that the compute nodes see. Ctrl-C cancels the jobs; if the login shell
    goes, they go on, and the same command follows them. Facts about the machine are asked on the compute node. Needs
    the extra `slurm`.
    """

    name = "slurm"
    elsewhere = True
    options_schema = {
        "properties": {
            "processes": {
                "description": "a number, over all nodes, or auto: `gpus_per_node` on each node, 1 without",
                "type": ["integer", "string"],
                "minimum": 1,
                "maximum": 65536,
                "pattern": "^auto$",
                "default": "auto",
            },
            "nodes": {
                "description": "nodes of a case",
                "type": "integer",
                "minimum": 1,
                "maximum": 65536,
                "default": 1,
            },
            "gpus_per_node": {
                "description": "GPUs of each node; null: none are asked for",
                "type": ["integer", "null"],
                "minimum": 1,
                "default": None,
            },
            "partition": {
                "description": "the partition; null: the cluster's default",
                "type": ["string", "null"],
                "pattern": _WORD,
                "default": None,
            },
            "account": {
                "description": "the account that is charged; null: the user's default",
                "type": ["string", "null"],
                "pattern": _WORD,
                "default": None,
            },
            "time": {
                "description": "time limit of a job: seconds, or a number with a unit such as `6 h`; null: that of the "
                "partition",
                "type": ["number", "string", "null"],
                "exclusiveMinimum": 0,
                "format": "seconds",
                "default": None,
            },
            "exclusive": {
                "description": "no other job on the nodes meanwhile; without it, others may slow a case down",
                "type": "boolean",
                "default": True,
            },
            "jobs": {
                "description": "how many cases may be in the queue or running at once",
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 8,
            },
            "interface": {
                "description": "the network interface between nodes, such as ib0; null: gloo and NCCL choose",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.,-]*$(?!\n)",
                "default": None,
            },
            "sbatch": {
                "description": f"further options of sbatch: {', '.join(SBATCH)}",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    name: {"type": ["string", "integer"], "pattern": _WORD, "description": f"as `sbatch --{name}`"}
                    for name in SBATCH
                },
                "default": {},
            },
        }
    }

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(options)
        self.parallel = options["jobs"]
        if options["processes"] != "auto" and options["processes"] % options["nodes"]:
            raise PluginError(
                f"the launcher 'slurm' cannot spread {options['processes']} processes evenly over {options['nodes']} "
                "nodes"
            )

    def missing(self, online: bool) -> Sequence[str]:
        lines = []
        if find_spec("submitit") is None:
            lines.append(f"the launcher 'slurm' needs submitit: {install('slurm')}")
        if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
            lines.append(f"{', '.join(absent)} not found: this machine has no Slurm; run where jobs are submitted")
        elif online and (refused := self._refused()):
            lines.append(refused)
        return lines

    def settle(self, facts: Facts, only: int | None) -> Mapping[str, Any]:
        if self.options["processes"] != "auto":
            return self.options
        return {**self.options, "processes": only or self.options["nodes"] * (self.options["gpus_per_node"] or 1)}

    def hosts(self) -> int:
        return int(self.options["nodes"])

    def start(self, case_dir: Path) -> Handle:
        from benchspec_plugins.launchers import slurm_job

        name = f"benchspec-{json.loads((case_dir / CASE).read_bytes())['id']}"
        return slurm_job.submit(case_dir, name, self.options)

    def deaths(self, case_dir: Path) -> Mapping[int, int]:
        from benchspec_plugins.launchers import group

        return group.deaths(case_dir)

    def end(self, case_dir: Path) -> End | None:
        from benchspec_plugins.launchers import slurm_job

        return slurm_job.end(case_dir)

    def attach(self, id: str) -> Handle:
        from benchspec_plugins.launchers import slurm_job

        return slurm_job.attached(id)

    def _refused(self) -> str | None:
        """Why Slurm would refuse every job: it does not answer, or has no such partition."""
        asked = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, check=False)
        wanted, known = self.options["partition"], asked.stdout.split()
        if asked.returncode:
            return f"Slurm does not answer: {' '.join(asked.stderr.split()) or 'sinfo fails'}"
        if wanted is None or wanted in known:
            return None
        return f"Slurm has no partition '{wanted}' (there are: {', '.join(known)})"


@hookimpl
def benchspec_register() -> list[type[Slurm]]:
    return [Slurm]
