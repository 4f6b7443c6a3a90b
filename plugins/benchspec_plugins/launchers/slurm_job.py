"""A case's job: submitted, followed and cancelled."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchspec import BenchspecError, End, Handle
from benchspec.terms.layout import STDERR, STDOUT
from benchspec_plugins.launchers import slurm_node

#: in the case's folder, submitit's and Slurm's own files
FILES = "slurm"
#: there, the state in which the job ended
STATE = "state"
#: states of a job that has not begun, and of one that has not ended
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT")
ALIVE = (*WAITING, "RUNNING", "COMPLETING", "SUSPENDED", "SIGNALING", "STAGE_OUT", "STOPPED", "RESIZING")
#: the state in which a job ended that its processes cannot explain -> the outcome, and what it means
ENDS: Mapping[str, tuple[str, str]] = {
    "TIMEOUT": ("timeout", "the job was not finished after its time limit (Slurm: TIMEOUT)"),
    "DEADLINE": ("timeout", "the job was not finished before its deadline (Slurm: DEADLINE)"),
    "OUT_OF_MEMORY": ("host-oom", "the job used up the memory that it had asked for (Slurm: OUT_OF_MEMORY)"),
    "NODE_FAIL": ("crash", "a node of the job failed (Slurm: NODE_FAIL)"),
    "BOOT_FAIL": ("crash", "a node of the job did not start (Slurm: BOOT_FAIL)"),
    "PREEMPTED": ("crash", "another job took the nodes (Slurm: PREEMPTED)"),
    "CANCELLED": ("crash", "the job was cancelled (Slurm: CANCELLED)"),
}
#: what Slurm says of a job that used up its memory where it counts that by itself, without control groups: its state is
#: FAILED then
OVER = "exceeded memory limit"
#: seconds between two questions to Slurm about a job
INTERVAL = 1.0
#: seconds in which a job that was cancelled ends
STOP_TIMEOUT = 120.0


def submit(case_dir: Path, name: str, options: Mapping[str, Any]) -> Job:
    """Submit the job of a case; raises `BenchspecError` with what sbatch says if it refuses."""
    import submitit
    from submitit.core.utils import FailedJobError

    for each in (STDOUT, STDERR):
        (case_dir / each).touch()
    (case_dir / FILES).mkdir()
    executor = submitit.SlurmExecutor(folder=case_dir / FILES)
    executor.update_parameters(**_parameters(name, options))
    each_node = options["processes"] // options["nodes"]
    command = [sys.executable, "-P", slurm_node.__file__, str(case_dir), str(each_node), options["interface"] or ""]
    try:
        # A command and no function, which would be pickled.
        job = executor._submit_command(shlex.join(command))
    except (FailedJobError, OSError) as error:
        said = " ".join(str(error).split()).partition("sbatch: error: ")
        raise BenchspecError(f"sbatch refuses the job: {said[2] or said[0]}") from error
    return Job(job.job_id, case_dir)


def _parameters(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of submitit's executor."""
    seconds = options["time"]
    found = {
        "job_name": name,
        "partition": options["partition"],
        "account": options["account"],
        # In minutes; without, the partition's.
        "time": None if seconds is None else max(1, -(-int(seconds) // 60)),
        "nodes": options["nodes"],
        "ntasks_per_node": 1,
        "gpus_per_node": options["gpus_per_node"],
        "exclusive": options["exclusive"] or None,
        # Since Slurm 22.05, srun does not take this from sbatch; bound to its share, a task would use few cores. When
        # a node's part fails, the others would wait for it.
        "srun_args": ["--kill-on-bad-exit=1", "--cpu-bind=none", *_cpus(options["sbatch"])],
    }
    # submitit has a job warned of its time limit by a signal that ends processes which do not expect it.
    further = {"signal": "CONT@1", "no-requeue": True, **options["sbatch"]}
    if options["exclusive"] and not any(name.startswith("mem") for name in further):
        # All of a node that is not shared.
        further["mem"] = 0
    return {**found, "additional_parameters": further}


def _cpus(sbatch: Mapping[str, Any]) -> list[str]:
    return [f"--cpus-per-task={sbatch['cpus-per-task']}"] if "cpus-per-task" in sbatch else []


def attached(id: str) -> Job:
    """A job that an earlier benchspec submitted."""
    number, _, case_dir = id.partition(" ")
    if not number.isdecimal():
        raise BenchspecError(f"'{id}' is no job of Slurm")
    return Job(number, Path(case_dir))


def end(case_dir: Path) -> End | None:
    """How a job ended, if its processes cannot tell."""
    file = case_dir / FILES / STATE
    state = file.read_text() if file.is_file() else ""
    found = ENDS.get(state)
    if state == "FAILED" and any(OVER in each.read_text(errors="replace") for each in file.parent.glob("*.err")):
        found = ("host-oom", f"the job used up the memory that it had asked for (Slurm: {OVER})")
    return End(*found) if found else None


class Job(Handle):
    """A case's job; it goes on without benchspec."""

    lasting = True

    def __init__(self, number: str, case_dir: Path):
        self._number = number
        self._case_dir = case_dir
        self._state = "PENDING"
        self._code: int | None = None
        self._asked = -INTERVAL
        self._cancelled = False
        self.id = f"{number} {case_dir}"

    def poll(self) -> int | None:
        self._ask()
        return self._code

    def waiting(self) -> bool:
        self._ask()
        return self._state in WAITING

    def stop(self) -> None:
        """Cancel the job, and return when it has ended; raises `BenchspecError` if it does not."""
        stop = time.monotonic() + STOP_TIMEOUT
        if self.poll() is None:
            self._cancelled = True
            subprocess.run(["scancel", self._number], capture_output=True, check=False)
        while self.poll() is None:
            if time.monotonic() > stop:
                raise BenchspecError(
                    f"the job {self._number} does not end; `scontrol show job {self._number}` says why"
                )
            time.sleep(0.2)

    def _ask(self) -> None:
        if self._code is not None or time.monotonic() - self._asked < INTERVAL:
            return
        command = ["scontrol", "--oneliner", "show", "job", self._number]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        self._asked = time.monotonic()
        if asked.returncode:
            # Slurm forgets a job some minutes after its end; a controller that does not answer is asked again.
            if "Invalid job id" in asked.stderr:
                self._ended("FORGOTTEN", -1)
            return
        self._state = _field(asked.stdout, "JobState") or self._state
        if self._state not in ALIVE:
            code = _field(asked.stdout, "ExitCode") or "1:0"
            self._ended(self._state, int(code.partition(":")[0]) or int(code.partition(":")[2] or 0))

    def _ended(self, state: str, code: int) -> None:
        self._code = code
        folder = self._case_dir / FILES
        if folder.is_dir():
            # Whoever cancels a job knows better than Slurm why.
            if not self._cancelled:
                (folder / STATE).write_text(state)
            self._copy_logs(folder)

    def _copy_logs(self, folder: Path) -> None:
        """Copy what Slurm and srun have said to stderr.log if no rank wrote there: it is then the only explanation."""
        log = self._case_dir / STDERR
        if not log.exists() or not log.stat().st_size:
            said = [file.read_text(errors="replace") for file in sorted(folder.glob(f"{self._number}*.err"))]
            log.write_text("".join(said))


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"(?:^|\s){name}=(\S+)", text)
    return found[1] if found else None
