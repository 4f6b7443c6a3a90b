"""Whether two machines are the same, judged by their facts."""

from __future__ import annotations

from collections.abc import Mapping

from benchspec.kinds.values import Facts


def name_of(facts: Facts, known: Mapping[str, Facts]) -> str:
    """The name of the known machine that this one is, else its accelerators: `8 × NVIDIA H100 80GB HBM3`, `a CPU`."""
    same = [name for name, others in known.items() if same_machine(others, facts)]
    return same[0] if same else (facts.accelerator and f"{facts.accelerators} × {facts.accelerator}") or "a CPU"


def same_machine(one: Facts, other: Facts) -> bool:
    """Whether two machines have equally many accelerators, with the same dense peaks and memory."""
    peaks = [{precision: fact.value for precision, fact in facts.peak.items()} for facts in (one, other)]
    memory = [facts.memory.value if facts.memory else 0 for facts in (one, other)]
    # NVML reports slightly less memory than the data sheet; an H200 has three quarters more than an H100.
    alike = abs(memory[0] - memory[1]) < 0.08 * max(*memory, 1)
    return one.accelerators == other.accelerators > 0 and bool(peaks[0]) and peaks[0] == peaks[1] and alike
