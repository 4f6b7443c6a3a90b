"""An exception in a worker -> the case's outcome and a one-line reason."""

from __future__ import annotations

import errno
from collections.abc import Collection

from benchspec.kinds.faults import raised_at
from benchspec.terms.errors import BenchspecError
from benchspec.terms.outcomes import OUT_OF_MEMORY, TIMED_OUT


def outcome_of(error: BaseException) -> str:
    """`oom`, `host-oom`, `hang` or `crash`."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "host-oom"
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY):
        return "oom"
    if any(sign in text for sign in TIMED_OUT):
        return "hang"
    return "crash"


def reason_of(error: BaseException) -> str:
    """The exception's type and the first line of its message; for a user's mistake, the message only."""
    if isinstance(error, BenchspecError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"[:500]


def first_line(error: BaseException) -> str:
    """The first line of an exception's message that is not blank."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


def place_of(error: BaseException, outcome: str, packages: Collection[str]) -> str:
    """` (FILE:LINE)`, the innermost line of a plugin in a crash; nothing for a user's mistake or a lack of memory."""
    a_bug = outcome == "crash" and not isinstance(error, BenchspecError)
    return raised_at(error.__traceback__, packages) if a_bug else ""
