"""The process of one rank: `python -m benchspec.worker CASE_DIR`, with the environment that torchrun sets.

It reads `case.json` in the folder and appends events to `rank-<n>.jsonl` there; the last event of a rank that finishes
is `done`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchspec.machine.host import host
from benchspec.machine.process import die_with_starter
from benchspec.results.events import EventLog
from benchspec.worker import pulse
from benchspec.worker.farewell import exit_now, leave_group, report_failure
from benchspec.worker.phases import run
from benchspec.worker.rank import Rank


def main(folder: Path) -> None:
    """Run this rank and end the process, with exit code 1 if anything failed."""
    job = _start(folder)
    try:
        run(job)
        job.log.add("done")
    except BaseException as error:
        report_failure(job, error)
        exit_now(1)
    leave_group(job)
    exit_now(0)


def _start(folder: Path) -> Rank:
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    log = EventLog(folder, rank)
    job = Rank(folder, log, rank, world)
    # From the event on, the parent may ask for stacks.
    pulse.start(job)
    log.add("start", rank=rank, world=world, pid=os.getpid(), host=host())
    return job


if __name__ == "__main__":
    die_with_starter()
    main(Path(sys.argv[1]))
