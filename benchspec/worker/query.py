"""Phase `query`: what was saved is loaded again, as its users would load it, and asked.

Rank 0's process begins anew as `benchspec.worker.answering`: whatever training has left in its memory, on the
accelerator and in libraries, is gone then, and whoever watches the rank goes on watching it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchspec.machine.process import THREADS
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import CHECKPOINT

if TYPE_CHECKING:
    from benchspec.worker.rank import Rank

#: the beginnings of what launchers and libraries tell a rank; the process that asks is none
_OF_RANKS = (
    *("RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "ROLE_", "MASTER_", "TORCHELASTIC_", "TORCH_NCCL_", "NCCL_ASYNC_"),
    *("ACCELERATE_", "FSDP_"),
)
#: standard input, output and errors come before it
FIRST_FILE = 3


def begin(job: Rank) -> NoReturn:
    """Have this process ask the checkpoint in `final`; what it was before ends here."""
    check(job)
    job.begin("query")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    _close_at_exec()
    os.execve(sys.executable, command(job.folder), environment())


def _close_at_exec() -> None:
    """Have the files of this process closed where the next begins: a driver's context lives as long as its files.

    Not before: NCCL's watchdog, a thread, aborts the process where it finds its context gone.
    """
    files: list[int] = []
    with suppress(OSError):
        files = [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    for file in files:
        with suppress(OSError):
            os.set_inheritable(file, file < FIRST_FILE)


def check(job: Rank) -> None:
    """Raise `BenchspecError` if nothing was saved."""
    if not (job.folder / CHECKPOINT).is_dir():
        job.begin("query")
        raise BenchspecError(
            f"the recipe '{job.case.recipe['name']}' has saved no checkpoint in '{CHECKPOINT}', so there is "
            "nothing to ask; remove `query`, or choose another recipe"
        )


def command(folder: Path) -> list[str]:
    """The command that loads and asks a case's checkpoint."""
    return [sys.executable, "-P", "-m", "benchspec.worker.answering", str(folder)]


def environment() -> dict[str, str]:
    """The environment without what tells a rank of its group."""
    own = ("OMP_NUM_THREADS",) if THREADS in os.environ else ()
    return {key: value for key, value in os.environ.items() if not key.startswith(_OF_RANKS) and key not in own}
