"""What the processes of a case and the process that watches them agree on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: <linux/prctl.h>: the signal that a process gets when its parent dies
PR_SET_PDEATHSIG = 1
#: in the environment of every process of a case, the folder of its attempt
MARK = "BENCHSPEC_CASE_DIR"
#: in a rank's environment: the launcher has set OMP_NUM_THREADS, for ranks that are gone when the model is asked
THREADS = "BENCHSPEC_THREADS"
#: at this signal a rank writes its stacks to a file
STACKS = signal.SIGUSR1
#: in a worker's environment, the id of the process that started it; by the time it is read, the parent may be another
PARENT = "BENCHSPEC_PARENT"


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, or at once if the parent is already dead; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def die_with_starter() -> None:
    """`die_with` the process whose id `PARENT` holds; without `PARENT`, with this process's parent."""
    die_with(int(os.environ.get(PARENT, os.getppid())))
