"""Some steps under torch's profiler: a trace, the history of an accelerator's memory, and where the time went."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchspec.terms import layout
from benchspec.terms.profiles import FIRST, STEPS

#: operations that are listed, those that take the most time first
MOST = 30


class Profiler:
    """Looks at the steps from `FIRST` on, `STEPS` of them, and then writes what it saw into the attempt's folder."""

    def __init__(self, folder: Path, rank: int, device: Any):
        self._folder = folder
        self._rank = rank
        self._device = device
        self._steps = 0
        self._profile: Any = None
        self._began = 0.0

    def step(self) -> None:
        """Note that a step has ended."""
        self._steps += 1
        if self._steps == FIRST - 1:
            self._start()
        elif self._steps == FIRST - 1 + STEPS:
            self._write()

    def _start(self) -> None:
        from torch.profiler import ProfilerActivity, profile

        gpu = self._device.type == "cuda"
        self._profile = profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])])
        if gpu:
            import torch

            torch.cuda.synchronize()
            # Finding the names of C++ functions in stacks takes minutes.
            torch.cuda.memory._record_memory_history(stacks="python")
        self._profile.start()
        self._began = time.monotonic()

    def _write(self) -> None:
        import torch

        gpu = self._device.type == "cuda"
        if gpu:
            torch.cuda.synchronize()
        seconds = time.monotonic() - self._began
        self._profile.stop()
        self._profile.export_chrome_trace(str(self._folder / layout.trace_file(self._rank)))
        if gpu:
            # The form that torch's viewer of memory reads; benchspec reads it nowhere.
            torch.cuda.memory._dump_snapshot(  # type: ignore[no-untyped-call]
                str(self._folder / layout.memory_file(self._rank))
            )
            torch.cuda.memory._record_memory_history(enabled=None)
        found = {"seconds": seconds, "operations": operations(self._profile.key_averages(), gpu)}
        layout.write_json(self._folder / layout.profile_file(self._rank), found)


def operations(averages: Any, gpu: bool) -> list[dict[str, Any]]:
    """What took the most time: the name of each operation, its calls, and seconds without those that it called.

    On an accelerator these are seconds of the kernels that it started, otherwise of the threads that profiled.
    """
    from torch.autograd import DeviceType  # type: ignore[attr-defined]

    attribute = "self_device_time_total" if gpu else "self_cpu_time_total"
    # Kernels are listed too, beside the operations whose time is theirs.
    own = [each for each in averages if each.device_type == DeviceType.CPU]
    found = [(getattr(each, attribute) / 1e6, each.count, each.key) for each in own]
    if gpu:
        # Such as those that a library starts by itself.
        kernels = [each for each in averages if each.device_type != DeviceType.CPU and not each.is_user_annotation]
        rest = sum(each.self_device_time_total for each in kernels) / 1e6 - sum(seconds for seconds, *_ in found)
        found.append((rest, 0, "kernels that no operation started"))
    largest = sorted(found, key=lambda each: -each[0])[:MOST]
    return [{"name": name, "calls": calls, "seconds": seconds} for seconds, calls, name in largest if seconds > 0]
