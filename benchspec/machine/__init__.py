"""A description of this machine, and what is missing on it to run benchmarks."""

from benchspec.machine.cgroups import kernel_kills
from benchspec.machine.nvml import Accelerator, accelerators, joules
from benchspec.machine.process import PARENT, die_with, die_with_starter

__all__ = ["PARENT", "Accelerator", "accelerators", "die_with", "die_with_starter", "joules", "kernel_kills"]
