"""Parses torchrun's summary of failed ranks."""

from __future__ import annotations

import re
import signal

#: a rank in torchrun's summary of failures, and the exit code that it ended with
_RANK = re.compile(r"^\s*rank\s*:\s*(\d+) .*\n\s*exitcode\s*:\s*(-?\d+)", re.MULTILINE)
#: the heading of the rank that failed first
_FIRST = "Root Cause (first observed failure):"


def deaths(log: str) -> dict[int, int]:
    """Ranks that failed and their exit codes, the first to fail first.

    Ranks that torchrun itself stopped with SIGTERM after the first failure are left out.
    """
    others, _, first = log.partition(_FIRST)
    failed = {int(rank): int(code) for rank, code in _RANK.findall(others) if int(code) != -signal.SIGTERM}
    return {int(rank): int(code) for rank, code in _RANK.findall(first)[:1]} | failed
