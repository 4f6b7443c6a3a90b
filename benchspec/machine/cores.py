"""How many cores of this machine this process may use."""

from __future__ import annotations

import os

from benchspec.machine.cgroups import cpu_quota


def usable_cores() -> float:
    """The cores that this process may run on, or the CPU limit of its control groups if that is lower."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return allowed if quota is None else min(allowed, quota)
