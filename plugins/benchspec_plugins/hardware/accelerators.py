"""The vendors' published figures of accelerators, by the names that their drivers use: NVML's, and torch's for AMD.

An accelerator is listed only if its vendor publishes *dense* peaks, or states that the published peaks are for 2:4
sparsity and twice the dense ones. An accelerator that is not listed has no peak, and reports leave its MFU out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchspec import Fact

#: options of every hardware
PRICE: Mapping[str, Any] = {
    "price_per_hour": {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "default": None,
        "description": "price of the whole machine per hour, in `currency`",
    },
    "currency": {
        "type": ["string", "null"],
        "pattern": "^[A-Z]{3}$",
        "default": None,
        "description": "currency of the price, three capital letters as in ISO 4217, e.g. USD; null: not named",
    },
}


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """An accelerator's published figures: FLOP/s without sparsity, bytes and bytes/s."""

    bf16: float
    tf32: float
    fp32: float
    #: nominal; a vendor's GB of device memory are GiB; drivers report 0.5% less, or 6% less for GDDR6 with ECC
    memory: int
    memory_bandwidth: float
    #: NVLink or Infinity Fabric, the sum of both directions; None for PCIe cards, whose name does not say whether a
    #: bridge links them
    link_bandwidth: float | None = None
    source: str

    def peak(self) -> dict[str, float]:
        """FLOP/s by precision."""
        return {"bf16": self.bf16, "tf32": self.tf32, "fp32": self.fp32}


GIB = 2**30
_A100 = "NVIDIA A100 data sheet (June 2021)"
_H100 = "NVIDIA H100 architecture white paper, table of peak rates without sparsity"
_H100_NVL = "NVIDIA H100 data sheet, H100 NVL (half of its rates with sparsity)"
_H200 = "NVIDIA H200 data sheet; peak rates as for the H100 SXM, which has the same chip"
_H200_NVL = "NVIDIA H200 data sheet, H200 NVL (half of its rates with sparsity)"
_L4 = "NVIDIA L4 data sheet (half of its rates with sparsity)"
_L40S = "NVIDIA L40S data sheet"
_A10 = "NVIDIA A10 data sheet"
_B200 = "NVIDIA Blackwell data sheet, HGX B200 (totals of eight GPUs; half of the rates with sparsity)"
_GB200 = "NVIDIA GB200 NVL72 data sheet (totals of 72 GPUs; half of the rates with sparsity)"
_ADA = "NVIDIA Ada GPU architecture white paper, GeForce RTX 4090 (dense, FP32 accumulation)"
_RTX_BLACKWELL = "NVIDIA RTX Blackwell GPU architecture white paper, GeForce RTX 5090 (dense, FP32 accumulation)"
_MI300X = "AMD Instinct MI300X data sheet (without sparsity)"
_MI325X = "AMD Instinct MI325X data sheet (without sparsity)"


def _a100(memory: int, memory_bandwidth: float, link_bandwidth: float | None = None) -> Datasheet:
    """All A100s have the same peaks; they differ in memory and links."""
    return Datasheet(
        bf16=312e12,
        tf32=156e12,
        fp32=19.5e12,
        memory=memory,
        memory_bandwidth=memory_bandwidth,
        link_bandwidth=link_bandwidth,
        source=_A100,
    )


def _cdna3(memory: int, memory_bandwidth: float, source: str) -> Datasheet:
    """The MI300X and the MI325X have the same chips; they differ in memory. Seven links of 128 GB/s each."""
    return Datasheet(
        bf16=1307.4e12,
        tf32=653.7e12,
        fp32=163.4e12,
        memory=memory,
        memory_bandwidth=memory_bandwidth,
        link_bandwidth=896e9,
        source=source,
    )


_A100_SXM_80 = _a100(80 * GIB, 2.039e12, 600e9)

#: by the full name without the leading "NVIDIA", which older drivers omit; the name of a MIG slice is longer
ACCELERATORS: Mapping[str, Datasheet] = {
    "A100-SXM4-80GB": _A100_SXM_80,
    "A100-SXM-80GB": _A100_SXM_80,
    "A100-SXM4-40GB": _a100(40 * GIB, 1.555e12, 600e9),
    "A100 80GB PCIe": _a100(80 * GIB, 1.935e12),
    "A100-PCIE-40GB": _a100(40 * GIB, 1.555e12),
    "H100 80GB HBM3": Datasheet(
        bf16=989.4e12,
        tf32=494.7e12,
        fp32=66.9e12,
        memory=80 * GIB,
        memory_bandwidth=3.35e12,
        link_bandwidth=900e9,
        source=_H100,
    ),
    "H100 PCIe": Datasheet(
        bf16=756e12, tf32=378e12, fp32=51.2e12, memory=80 * GIB, memory_bandwidth=2.0e12, source=_H100
    ),
    "H100 NVL": Datasheet(
        bf16=835.5e12, tf32=417.5e12, fp32=60e12, memory=94 * GIB, memory_bandwidth=3.9e12, source=_H100_NVL
    ),
    "H200": Datasheet(
        bf16=989.4e12,
        tf32=494.7e12,
        fp32=66.9e12,
        memory=141 * GIB,
        memory_bandwidth=4.8e12,
        link_bandwidth=900e9,
        source=_H200,
    ),
    "H200 NVL": Datasheet(
        bf16=835.5e12, tf32=417.5e12, fp32=60e12, memory=141 * GIB, memory_bandwidth=4.8e12, source=_H200_NVL
    ),
    "L4": Datasheet(bf16=121e12, tf32=60e12, fp32=30.3e12, memory=24 * GIB, memory_bandwidth=300e9, source=_L4),
    "L40S": Datasheet(bf16=362.05e12, tf32=183e12, fp32=91.6e12, memory=48 * GIB, memory_bandwidth=864e9, source=_L40S),
    "A10": Datasheet(bf16=125e12, tf32=62.5e12, fp32=31.2e12, memory=24 * GIB, memory_bandwidth=600e9, source=_A10),
    "B200": Datasheet(
        bf16=2.25e15,
        tf32=1.125e15,
        fp32=75e12,
        memory=180 * GIB,
        memory_bandwidth=8e12,
        link_bandwidth=1.8e12,
        source=_B200,
    ),
    "GB200": Datasheet(
        bf16=2.5e15,
        tf32=1.25e15,
        fp32=80e12,
        memory=186 * GIB,
        memory_bandwidth=8e12,
        link_bandwidth=1.8e12,
        source=_GB200,
    ),
    "GeForce RTX 4090": Datasheet(
        bf16=165.2e12, tf32=82.6e12, fp32=82.6e12, memory=24 * GIB, memory_bandwidth=1.008e12, source=_ADA
    ),
    "GeForce RTX 5090": Datasheet(
        bf16=209.5e12, tf32=104.8e12, fp32=104.8e12, memory=32 * GIB, memory_bandwidth=1.792e12, source=_RTX_BLACKWELL
    ),
    "AMD Instinct MI300X": _cdna3(192 * GIB, 5.3e12, _MI300X),
    "AMD Instinct MI325X": _cdna3(256 * GIB, 6.0e12, _MI325X),
}

_BY_NAME = {name.casefold(): datasheet for name, datasheet in ACCELERATORS.items()}


def datasheet(name: str) -> Datasheet | None:
    """The data sheet for a driver's name of an accelerator; None if no entry has exactly this name."""
    return _BY_NAME.get(" ".join(name.casefold().split()).removeprefix("nvidia "))


def fact(value: float | None, source: str) -> Fact | None:
    """A figure with its source; None if the figure is unknown."""
    return None if value is None else Fact(value, source)


def price(options: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the options `PRICE` state."""
    return {"price_per_hour": fact(options["price_per_hour"], "the spec"), "currency": options["currency"]}


def facts_by_precision(peak: Mapping[str, float], source: str) -> dict[str, Fact]:
    """FLOP/s by precision, each with its source."""
    return {precision: Fact(value, source) for precision, value in peak.items()}
