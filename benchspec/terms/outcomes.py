"""Outcomes, phases, and the texts in exceptions and logs by which an outcome is recognised."""

from __future__ import annotations

from collections.abc import Mapping

#: the phases of a case in their order; each has a metric of its own
PHASES = ("start", "data", "build", "shard", "train", "save", "query")
#: the phases within `train`: the first optimizer step, and all later ones
INNER_PHASES = ("first-step", "steady")

#: how a case can end; docs/spec.md says what each means
OUTCOMES = ("ok", "oom", "host-oom", "timeout", "hang", "crash", "skipped")
#: the outcomes that are kept: running such a case again would not change them
FINAL = ("ok", "oom", "host-oom", "skipped")

#: in an exception's text: what torch, cuBLAS, cuDNN and CPU allocators say when memory is exhausted
OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    # cuBLAS, when no memory is left for its handle
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
#: in an exception's text: what gloo and NCCL say when another rank does not join a collective in time
TIMED_OUT = ("Timed out waiting", "collective operation timeout", "Watchdog caught")
#: in an exception's text: what gloo and NCCL say on the ranks whose peer has died
LOST_PEER = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "Connection refused")
#: in the log of a process that aborted (SIGABRT): the text -> the outcome
ABORTED: Mapping[str, str] = {
    "std::bad_alloc": "oom",
    "Watchdog caught collective operation timeout": "hang",
}
