"""Which host this process is on."""

from __future__ import annotations

import platform
from pathlib import Path

#: Linux: an id of the running kernel, drawn when it started
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def host() -> str:
    """The same for processes that share a monotonic clock, and different on other hosts.

    On Linux it identifies the running kernel, which keeps that clock for all its containers; elsewhere it is the host's
    name.
    """
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return platform.node()
