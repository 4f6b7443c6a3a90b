"""Outcomes, phases, and the texts in reasons and logs by which a cause is recognised."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: the phases of a case in their order; each has a metric of its own
PHASES = ("start", "data", "build", "shard", "train", "save", "query")
#: those that a recipe enters
RECIPE_PHASES = ("shard", "train", "save")
#: the phases within `train`: the first optimizer step, and all later ones
STEP_PHASES = FIRST_STEP, STEADY = "first-step", "steady"
#: those and what a script of one's own may do between its steps
INNER_PHASES = (*STEP_PHASES, "evaluate")

#: how a case can end; docs/spec.md says what each means
OUTCOMES = ("ok", "oom", "host-oom", "timeout", "hang", "crash", "skipped")
#: the outcomes that are kept: running such a case again would not change them
FINAL = ("ok", "oom", "host-oom", "skipped")

#: in an exception's text: what gloo and NCCL say on the ranks whose peer has died
LOST_PEER = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "Connection refused")
#: in the log of a process that a signal ended: the beginning of what the C++ runtime, libc, gloo, NCCL, CUDA or Python
#: says of the cause
SIGNS = re.compile(
    r"terminate called after|what\(\):|\[enforce fail at|[Ww]atchdog (?:caught|got stuck)|Fatal (?:Python|glibc) error:"
    r"|Assertion .* failed|\*\*\* stack smashing|double free or corruption|corrupted (?:size|double-linked)"
    r"|(?:free|malloc|realloc|munmap_chunk)\(\): |CUDA error: |NCCL error|ncclUnhandledCudaError|ncclSystemError"
    r"|Check failed: "
)
#: in such a line of a process that aborted (SIGABRT): the text -> the outcome
ABORTED: Mapping[str, str] = {
    "terminate called after throwing an instance of 'std::bad_alloc'": "oom",
    "Watchdog caught collective operation timeout": "hang",
    "watchdog got stuck": "hang",
}
