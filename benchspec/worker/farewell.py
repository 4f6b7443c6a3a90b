"""How a rank ends: a failure is reported, the process group is left, and the process ends."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from benchspec.terms.errors import BenchspecError
from benchspec.worker import device
from benchspec.worker.failure import outcome_of, place_of, reason_of

if TYPE_CHECKING:
    from benchspec.worker.rank import Rank

#: seconds to wait for the other ranks to finish; less than the time after which the parent stops the group
BARRIER_SECONDS = 10
#: seconds to wait for a rank that may still be saving
PATIENCE = 2 * 3600


def report_failure(job: Rank, error: BaseException) -> None:
    """Report an exception, the event first: memory or disk may be full, so any of the reports may itself fail."""
    for report in (_log_failure, _print_error, _log_memory):
        with suppress(Exception):
            report(job, error)


def _log_failure(job: Rank, error: BaseException) -> None:
    outcome = outcome_of(error)
    job.log.add(
        "failure",
        outcome=outcome,
        # Between phases, only the recipe and the proof of its training can fail.
        phase=job.open[-1] if job.open else "train",
        reason=reason_of(error) + place_of(error, outcome, job.packages),
        mistake=isinstance(error, BenchspecError),
    )


def _print_error(job: Rank, error: BaseException) -> None:
    """Print the error to stderr: one line for a user's mistake, a traceback for anything else."""
    if isinstance(error, BenchspecError):
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    else:
        traceback.print_exception(error)


def _log_memory(job: Rank, error: BaseException) -> None:
    job.log.add("memory", **device.memory_peaks())


def leave_group(job: Rank, seconds: float = BARRIER_SECONDS) -> None:
    """Leave the process group together, once: no rank ends while another one still needs it."""
    import torch.distributed as dist

    if job.left:
        return
    job.left = True
    if not (dist.is_available() and dist.is_initialized()):
        return
    try:
        if dist.get_backend() == "gloo":
            _leave_gloo(job, seconds)
        else:
            # Another host's rank may still be in its last collective.
            dist.barrier()
    except Exception:
        traceback.print_exc()


def _leave_gloo(job: Rank, seconds: float) -> None:
    """Leave a gloo group, which aborts a rank whose peer has left early."""
    from datetime import timedelta

    import torch.distributed as dist

    dist.monitored_barrier(timeout=timedelta(seconds=seconds))
    job.release()
    dist.destroy_process_group()


def exit_now(code: int) -> None:
    """End the process immediately, without Python's teardown.

    A failed rank would otherwise wait for the others in a collective for half an hour, and a process group that aborts
    in its teardown would turn success into failure.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
