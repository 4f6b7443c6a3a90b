"""What ties a process's life to its parent's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: <linux/prctl.h>: the signal that a process gets when its parent dies
PR_SET_PDEATHSIG = 1
#: in a worker's environment, the process that started it: by the time that it can look, it may have another parent
PARENT = "BENCHSPEC_PARENT"


def die_with(parent: int) -> None:
    """Be killed when the parent dies, however it dies, or at once where it has died already; on Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def die_with_starter() -> None:
    """The same for the process that `PARENT` names; for the parent where it names none."""
    die_with(int(os.environ.get(PARENT, os.getppid())))
