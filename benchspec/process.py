"""What ties a worker's life to its parent's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: <linux/prctl.h>: the signal that a process gets when its parent dies
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Be killed when the parent dies, however it dies; on Linux only."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the call.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
