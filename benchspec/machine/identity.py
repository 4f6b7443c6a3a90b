"""How this machine compares with a named one, judged by their facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchspec.kinds.values import Fact, Facts
from benchspec.terms.units import size_text


def title(here: Facts, known: Mapping[str, Facts]) -> str:
    """This machine's accelerators, and the known machines that have the same; `a CPU` if it has none.

    `8 × NVIDIA H100 80GB HBM3 (the accelerators of xe9680-h100)`: equal accelerators do not make it that machine, whose
    links, processors and price may differ.
    """
    same = [name for name, facts in known.items() if facts.accelerators and _same_accelerators(facts, here)]
    return _accelerators(here) + (f" (the accelerators of {', '.join(same)})" if same else "")


def differences(named: Facts, here: Facts) -> list[str]:
    """Where the accelerators, their memory or their dense peaks here differ from a named machine's.

    An unknown figure is no difference, nor is up to 8% of memory: NVML reports less than data sheets do.
    """
    found = [] if _same_name(named, here) else [f"{_accelerators(here)}, not {_accelerators(named)}"]
    return [*found, *_memory(named.memory, here.memory), *_peaks(named.peak, here.peak)]


def _same_accelerators(named: Facts, here: Facts) -> bool:
    return named.accelerator is not None and not differences(named, here)


def _same_name(named: Facts, here: Facts) -> bool:
    """Whether there are as many accelerators of the same name, where both have one."""
    names = {_name(facts.accelerator) for facts in (named, here) if facts.accelerator}
    return named.accelerators == here.accelerators and len(names) < 2


def _name(accelerator: str) -> str:
    """The vendor's name as data sheets are looked up by it: older drivers omit NVIDIA."""
    return " ".join(accelerator.casefold().split()).removeprefix("nvidia ")


def _accelerators(facts: Facts) -> str:
    if not facts.accelerators:
        return "a CPU"
    if facts.accelerator:
        return f"{facts.accelerators} × {facts.accelerator}"
    return f"{facts.accelerators} accelerator{'' if facts.accelerators == 1 else 's'}"


def _memory(named: Fact | None, here: Fact | None) -> Iterator[str]:
    if named and here and abs(named.value - here.value) > 0.08 * max(named.value, here.value):
        yield f"memory {size_text(here.value)}, not {size_text(named.value)}"


def _peaks(named: Mapping[str, Fact], here: Mapping[str, Fact]) -> Iterator[str]:
    for precision, fact in here.items():
        if precision in named and named[precision].value != fact.value:
            yield f"{precision} peak {fact.value / 1e12:.4g} TFLOP/s, not {named[precision].value / 1e12:.4g}"
