"""What this machine is, and what it lacks to run benchmarks."""

from benchspec.machine.cgroups import kernel_kills
from benchspec.machine.nvml import Accelerator, joules
from benchspec.machine.visible import accelerators

__all__ = ["Accelerator", "accelerators", "joules", "kernel_kills"]
