"""An exception in a worker -> the outcome that it is, and a sentence."""

from __future__ import annotations

import errno

from benchspec.terms.errors import BenchspecError


def outcome_of(error: BaseException) -> str:
    """`oom`, `host-oom`, `hang` or `crash`, by what was raised."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "host-oom"
    if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
        return "oom"
    if any(sign in text for sign in _TIMED_OUT):
        return "hang"
    return "crash"


#: what torch, cuBLAS, NCCL and the CPU's allocator say when memory is used up
_OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    # cuBLAS, where no memory is left for its handle
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
#: what gloo and NCCL say when another rank did not come to a collective in time
_TIMED_OUT = ("Timed out waiting", "collective operation timeout", "Watchdog caught")


def reason_of(error: BaseException) -> str:
    """The error in a sentence."""
    if isinstance(error, BenchspecError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"[:500]


def first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
