"""The process of one rank: `python -m benchspec.worker CASE_DIR`, with the environment that torchrun sets.

It reads `case.json` in the folder, and writes what happens to `rank-<n>.jsonl` there; the last event of a rank that
finishes is `done`.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from benchspec.machine.process import die_with_starter
from benchspec.results.events import EventLog
from benchspec.terms.errors import BenchspecError
from benchspec.worker import device
from benchspec.worker.failure import outcome_of, reason_of
from benchspec.worker.phases import run
from benchspec.worker.rank import Rank

#: seconds that the other ranks get to finish too; less than benchspec waits before it ends the group
PATIENCE = 10


def main(folder: Path) -> None:
    """Run this rank and end the process, with exit code 1 where anything failed."""
    job = _start(folder)
    try:
        run(job)
        job.log.add("done")
    except BaseException as error:
        tell_failure(job, error)
        _exit(1)
    _leave_group(job)
    _exit(0)


def _start(folder: Path) -> Rank:
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    log = EventLog(folder, rank)
    log.add("start", rank=rank, world=world, pid=os.getpid())
    return Rank(folder, log, rank, world)


def tell_failure(job: Rank, error: BaseException) -> None:
    """Write down what went wrong, the most important first: memory or disk may be full, so each part may fail too."""
    for tell in (_log_failure, _show, _log_memory):
        with suppress(Exception):
            tell(job, error)


def _log_failure(job: Rank, error: BaseException) -> None:
    job.log.add(
        "failure",
        outcome=outcome_of(error),
        # Between phases, only the recipe and the proof of its training can fail.
        phase=job.open[-1] if job.open else "train",
        reason=reason_of(error),
        mistake=isinstance(error, BenchspecError),
    )


def _show(job: Rank, error: BaseException) -> None:
    """Print the error to stderr: a line for a mistake of the user's, a traceback for anything else."""
    if isinstance(error, BenchspecError):
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    else:
        traceback.print_exception(error)


def _log_memory(job: Rank, error: BaseException) -> None:
    job.log.add("memory", **device.memory_peaks())


def _leave_group(job: Rank) -> None:
    """Leave the process group together: no rank ends while another one still needs it."""
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return
    try:
        if dist.get_backend() == "gloo":
            _leave_gloo(job)
        else:
            # Another host's rank may still be in its last collective.
            dist.barrier()
    except Exception:
        traceback.print_exc()


def _leave_gloo(job: Rank) -> None:
    """gloo's threads abort a process that ends while another rank needs it, and one that keeps its group."""
    from datetime import timedelta

    import torch.distributed as dist

    dist.monitored_barrier(timeout=timedelta(seconds=PATIENCE))
    del job.model, job.backend
    gc.collect()
    dist.destroy_process_group()


def _exit(code: int) -> None:
    """End the process at once.

    A rank that failed must not wait for the others in a collective, which would last half an hour; and a group that
    aborts in its teardown must not undo what is done.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    die_with_starter()
    main(Path(sys.argv[1]))
