"""How a case can end, where in it something can happen, and the texts by which an ending is told."""

from __future__ import annotations

from collections.abc import Mapping

#: the parts of a case in their order; each has a metric of its own
PHASES = ("start", "data", "build", "shard", "train", "save", "query")
#: the parts of the phase `train`: its first optimizer step, and all further ones
INNER_PHASES = ("first-step", "steady")

#: every way to end; what each means is in docs and in the schema of a result
OUTCOMES = ("ok", "oom", "host-oom", "timeout", "hang", "crash", "skipped")
#: the outcomes that running the case again would not change
FINAL = ("ok", "oom", "host-oom")

#: in an exception's text: what torch, cuBLAS, cuDNN and the allocators of the CPU say when memory is used up
OUT_OF_MEMORY = (
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
#: in an exception's text: what gloo and NCCL say when another rank did not join a collective in time
TIMED_OUT = ("Timed out waiting", "collective operation timeout", "Watchdog caught")
#: in an exception's text: what gloo and NCCL say on the ranks whose peer has died
LOST_PEER = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "Connection refused")
#: in the log of a process that aborted (SIGABRT): the text -> the outcome
ABORTED: Mapping[str, str] = {
    "std::bad_alloc": "oom",
    "Watchdog caught collective operation timeout": "hang",
}
