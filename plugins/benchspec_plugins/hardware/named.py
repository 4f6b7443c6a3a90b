"""Machines described by their published figures, to plan for and to compare with."""

from __future__ import annotations

from typing import Any

from benchspec import Facts, Hardware, Plugin, hookimpl
from benchspec_plugins.hardware.accelerators import ACCELERATORS, PRICE, fact, facts_by_precision, price

_RATE = {"type": "number", "exclusiveMinimum": 0, "description": "FLOP/s per accelerator, without sparsity"}
_BANDWIDTH = {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None}


def _machine(name: str, accelerators: int, source: str = "") -> dict[str, Any]:
    """The options of a machine with this many accelerators of one kind; `source` says where it was described."""
    sheet = ACCELERATORS[name]
    return {
        "accelerator": f"NVIDIA {name}",
        "accelerators": accelerators,
        "memory": sheet.memory,
        "peak": sheet.peak(),
        "memory_bandwidth": sheet.memory_bandwidth,
        "link_bandwidth": sheet.link_bandwidth,
        "source": "; ".join(filter(None, (sheet.source, source))),
    }


def _cloud(accelerators: int, source: str = "") -> dict[str, Any]:
    """The options of an instance with A100s of 80 GB at an undisclosed provider.

    Its price is unknown, and so is whether the GPUs are SXM modules or PCIe cards, which have the same peaks and
    different bandwidths.
    """
    machine = _machine("A100-SXM4-80GB", accelerators, source)
    return {**machine, "accelerator": "NVIDIA A100 80GB", "memory_bandwidth": None, "link_bandwidth": None}


class Custom(Hardware):
    """Any machine, described by its options; figures that are not given are unknown."""

    name = "custom"
    instead = "{name: custom, accelerators: 8, memory: 80 GiB, peak: {bf16: 989e12}}, with the machine's own figures"
    options_schema = {
        "properties": {
            "accelerator": {
                "type": ["string", "null"],
                "default": None,
                "description": "the vendor's name, e.g. NVIDIA H100 80GB HBM3; null: no accelerator",
            },
            "accelerators": {"type": "integer", "minimum": 0, "description": "number of accelerators"},
            "memory": {
                "type": ["integer", "string", "null"],
                "format": "size",
                "default": None,
                "description": "bytes per accelerator, or a size such as 80 GiB",
            },
            "peak": {
                "type": "object",
                "properties": {"bf16": _RATE, "tf32": _RATE, "fp32": _RATE},
                "additionalProperties": False,
                "default": {},
                "description": "dense peak by precision",
            },
            "memory_bandwidth": {**_BANDWIDTH, "description": "bytes/s between an accelerator and its memory"},
            "link_bandwidth": {
                **_BANDWIDTH,
                "description": "bytes/s between one accelerator and the others, the sum of both directions",
            },
            **PRICE,
            "source": {
                "type": ["string", "null"],
                "default": None,
                "description": "where these figures come from; by default the spec itself",
            },
        },
        "required": ["accelerators"],
    }
    presets = {
        "xe9680-h100": _machine("H100 80GB HBM3", 8, "Fauber and Patel 2023 (the machine)"),
        "xe9680-a100": _machine("A100-SXM4-80GB", 8, "Fauber and Patel 2023 (the machine)"),
        "cloud-8xa100": _cloud(8, "Fauber and Patel 2023 (an undisclosed cloud instance)"),
        "cloud-4xa100": _cloud(4),
        "h200": _machine("H200", 8, "NVIDIA HGX H200 (eight per board)"),
        "cpu": {"accelerator": None, "accelerators": 0},
    }

    def facts(self) -> Facts:
        options = self.options
        source = options["source"] or "the spec"
        return Facts(
            accelerator=options["accelerator"],
            accelerators=options["accelerators"],
            memory=fact(options["memory"], source),
            peak=facts_by_precision(options["peak"], source),
            memory_bandwidth=fact(options["memory_bandwidth"], source),
            link_bandwidth=fact(options["link_bandwidth"], source),
            **price(options),
        )


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Custom]
