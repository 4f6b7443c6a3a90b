"""A rank's sign of life, from a thread of its own, and its stacks when it is asked for them.

The thread says every second where the rank is, even while the rank computes or waits. It stands still where the process
is stopped, and where a call holds Python's lock.
"""

from __future__ import annotations

import faulthandler
import json
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from benchspec.machine.process import STACKS
from benchspec.terms.layout import pulse_file, stacks_file

if TYPE_CHECKING:
    from benchspec.worker.rank import Rank

#: seconds from one pulse to the next
INTERVAL = 1.0
#: bytes of a pulse, blanks included: as long each time, it can be written over the last one in one call
SIZE = 256


def start(job: Rank, interval: float = INTERVAL) -> None:
    """Write pulses until the process ends, and the stacks of all threads at the signal `STACKS`."""
    # Opened now: a handler of signals can open no file.
    faulthandler.register(STACKS, (job.folder / stacks_file(job.rank)).open("a"), all_threads=True)
    file = os.open(job.folder / pulse_file(job.rank), os.O_WRONLY | os.O_CREAT, 0o666)
    threading.Thread(target=_beat, args=(job, file, interval), name="pulse", daemon=True).start()


def _beat(job: Rank, file: int, interval: float) -> None:
    place: tuple[str | None, int] | None = None
    since = cpu_since = 0.0
    while True:
        clock, cpu = time.monotonic(), time.process_time()
        # The main thread may be changing the list.
        here = next(reversed([None, *job.open])), job.steps.count
        if here != place:
            place, since, cpu_since = here, clock, cpu
        # On a full disk the rank still computes.
        with suppress(OSError):
            os.pwrite(file, _line(*here, clock, cpu, since, cpu_since), 0)
        time.sleep(interval)


def _line(phase: str | None, step: int, clock: float, cpu: float, since: float, cpu_since: float) -> bytes:
    """A pulse: phase and step, the host's monotonic clock, the CPU time used, and both when phase or step changed."""
    seconds = {"clock": clock, "cpu": cpu, "since": since, "cpu_since": cpu_since}
    text = json.dumps({"phase": phase, "step": step, **seconds})
    return f"{text:{SIZE - 1}}\n".encode()
