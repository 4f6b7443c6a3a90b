"""An exception in a worker -> the case's outcome and a one-line reason.

The exception's type decides. The text counts only where torch has no type for what happened, and then only in torch's
own form: data and plugins, too, can say "out of memory".
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Collection
from traceback import walk_tb
from typing import Any

from benchspec.kinds.faults import message, raised_at
from benchspec.terms.errors import BenchspecError

#: what a plain RuntimeError of torch says when memory is exhausted: allocators of the CPU, cuBLAS, cuDNN, C++.
#: A DataLoader's worker process repeats it at the end of a traceback, after the type.
_OUT_OF_MEMORY = re.compile(
    r"^(?:RuntimeError: )?(?:"
    r"\[enforce fail at [^\]]*alloc_cpu\.cpp:\d+\].*DefaultCPUAllocator: "
    r"|CUDA error: CUBLAS_STATUS_ALLOC_FAILED\b"
    r"|cuDNN error: CUDNN_STATUS_ALLOC_FAILED\b"
    r"|std::bad_alloc$)",
    re.MULTILINE,
)
#: what it says when cuBLAS gets no handle, for want of memory or for another reason; hipBLAS names memory for both
_NO_HANDLE = re.compile(r"^(?:CUDA|HIP) error: (?:CUBLAS_STATUS_NOT_INITIALIZED|HIPBLAS_STATUS_ALLOC_FAILED)\b")
#: what gloo says, in a plain RuntimeError, when another rank does not join a collective in time
_TIMED_OUT = re.compile(
    r"^\[[^\]]*gloo[^\]]*\] Timed out waiting|^\[Rank \d+\]: Ranks? [\d, ]+ failed to pass monitoredBarrier"
)
#: what torch.distributed's own exceptions say when another rank does not come in time
_DISTRIBUTED_TIMED_OUT = re.compile(r"\btime(?:d )?-?out\b", re.IGNORECASE)
#: what they say when NCCL gets no memory
_NCCL_OUT_OF_MEMORY = re.compile(r"Cuda failure (?:\d+ )?'out of memory'")
#: CUDA's and HIP's number of the error that no memory was left
_MEMORY_ALLOCATION = 2
#: a device with less free memory than this, in bytes, is full: a handle of cuBLAS needs more
_FULL = 256 << 20


def outcome_of(error: BaseException) -> str:
    """`oom`, `host-oom`, `hang` or `crash`: what the exception, or one that it was raised from, means."""
    return _telling(error)[0]


def _telling(error: BaseException) -> tuple[str, BaseException]:
    """The outcome, and the exception that tells it: the first that is more than a crash, of those it was raised from.

    Only `raise … from …` counts: code that catches an out-of-memory and then fails of itself has not run out of memory.
    """
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    outcomes = ((_outcome_of_one(each), each) for each in chain)
    return next((pair for pair in outcomes if pair[0] != "crash"), ("crash", error))


def _outcome_of_one(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "host-oom"
    if isinstance(error, MemoryError) or _is_out_of_memory(error, sys.modules.get("torch"), device_is_full):
        return "oom"
    return "hang" if _has_timed_out(error, sys.modules.get("torch")) else "crash"


def _is_out_of_memory(error: BaseException, torch: Any, full: Callable[[], bool]) -> bool:
    """Whether torch, cuBLAS or NCCL got no memory; `torch` is the module, None if nothing has imported it."""
    if torch is None:
        return False
    text = message(error)
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        code = getattr(error, "error_code", None)
        return code == _MEMORY_ALLOCATION or text.startswith(("CUDA error: out of memory", "HIP error: out of memory"))
    if _is_distributed(error, torch):
        return bool(_NCCL_OUT_OF_MEMORY.search(text))
    if type(error) is not RuntimeError:
        return False
    return bool(_OUT_OF_MEMORY.search(text) or (_NO_HANDLE.search(text) and full()))


def _has_timed_out(error: BaseException, torch: Any) -> bool:
    """Whether another rank did not come in time: to a collective, or to the store through which ranks meet."""
    if torch is None:
        return False
    if _is_distributed(error, torch):
        return bool(_DISTRIBUTED_TIMED_OUT.search(message(error)))
    return type(error) is RuntimeError and bool(_TIMED_OUT.search(message(error)))


def _is_distributed(error: BaseException, torch: Any) -> bool:
    return torch.distributed.is_available() and isinstance(error, torch.distributed.DistError)


def device_is_full() -> bool:
    """Whether this rank's GPU has no memory left for a handle of cuBLAS; False if that cannot be found out."""
    import torch

    try:
        free, _ = torch.cuda.mem_get_info()
    except Exception:
        return False
    return free < _FULL


def reason_of(error: BaseException) -> str:
    """The exception's type and the first line of its message; for a user's mistake, the message only.

    It is followed by the exception that it was raised from, if that one tells the outcome.
    """
    if isinstance(error, BenchspecError):
        return first_line(error)
    if isinstance(error, KeyboardInterrupt):
        return "KeyboardInterrupt: interrupted"
    reason, cause = f"{type(error).__name__}: {first_line(error)}", _telling(error)[1]
    return reason if cause is error else f"{reason} (from {type(cause).__name__}: {first_line(cause)})"


def first_line(error: BaseException) -> str:
    """The first line of an exception's message that is not blank."""
    return next((line.strip() for line in message(error).splitlines() if line.strip()), "no message")


def place_of(error: BaseException, outcome: str, packages: Collection[str]) -> str:
    """` (FILE:LINE)`, the innermost line of a plugin in a crash that it caused.

    Nothing for a user's mistake, a lack of memory, or a check of the core's own, which runs within the plugin's call.
    """
    a_bug = outcome == "crash" and not isinstance(error, BenchspecError)
    return raised_at(error.__traceback__, packages) if a_bug and not _is_check(error) else ""


def _is_check(error: BaseException) -> bool:
    """Whether the core raised it by itself; what `Job`'s methods refuse is the plugin's fault."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__)]
    return modules[-1:] != [] and modules[-1].startswith("benchspec.worker.") and modules[-1] != "benchspec.worker.rank"
