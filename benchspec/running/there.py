"""The machine that a case runs on, where that is another than benchspec's own: `python -m benchspec.running.there DIR`.

A launcher with `elsewhere` runs this there, once a case. It reads which hardware the spec names from `hardware.json` in
the case's folder, and writes what it sees to `machine.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchspec.kinds.registry import Registry
from benchspec.kinds.values import FIGURES, Fact, Facts
from benchspec.machine import describe
from benchspec.spec.spec import facts_of
from benchspec.terms import strict
from benchspec.terms.layout import HARDWARE, MACHINE, write_json


@dataclass(frozen=True)
class There:
    """Another machine."""

    #: as `describe` finds it
    machine: Mapping[str, Any]
    facts: Facts


def main(attempt: Path) -> None:
    """Write what this machine is into a case's folder."""
    hardware = strict.parse((attempt / HARDWARE).read_bytes())
    facts = facts_of(Registry.load(), hardware)
    write_json(attempt / MACHINE, {"machine": describe.quickly(), "facts": _plain(facts)})


def read(attempt: Path) -> There | None:
    """The machine that an attempt ran on; None if nothing says so: it was this one, or it got not that far."""
    try:
        found = strict.parse((attempt / MACHINE).read_bytes())
        return There(found["machine"], _facts(found["facts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _plain(facts: Facts) -> dict[str, Any]:
    return {
        **{name: getattr(facts, name) for name in ("accelerator", "accelerators", "currency", *FIGURES)},
        "peak": dict(facts.peak),
    }


def _facts(plain: Mapping[str, Any]) -> Facts:
    figures: dict[str, Any] = {name: Fact(*plain[name]) if plain[name] else None for name in FIGURES}
    peak = {precision: Fact(*found) for precision, found in plain["peak"].items()}
    names: dict[str, Any] = {name: plain[name] for name in ("accelerator", "accelerators", "currency")}
    return Facts(**names, **figures, peak=peak)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
