"""The plain values that plugins and the core exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One example to learn from; `input` is empty where the instruction needs none."""

    instruction: str
    input: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A transformer's published dimensions, enough to count its parameters and operations without building it."""

    layers: int
    hidden: int
    heads: int
    ffn: int
    vocabulary: int
    #: the longest sequence; None where any length will do (ALiBi)
    positions: int | None
    #: whether the output head shares the word embeddings' matrix
    tied_head: bool
    #: every parameter, the tied head counted once
    parameters: int
    #: parameters that are only looked up, never multiplied with: word embeddings and position tables
    lookup_parameters: int

    @property
    def multiplied(self) -> int:
        """Parameters that every token is multiplied with."""
        return self.parameters - self.lookup_parameters


class Share(NamedTuple):
    """How much of a network a method trains, from which the operations of a step follow."""

    #: multiplied parameters that learn
    learning: int
    #: multiplied parameters that the gradient passes through
    reached: int
    #: blocks that the gradient reaches
    layers: int


class Fact(NamedTuple):
    """A figure and its source."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a machine is; None, or a key that is absent, where a figure is not known."""

    #: as its maker calls it, e.g. "NVIDIA H100 80GB HBM3"; None where the machine has none
    accelerator: str | None
    accelerators: int
    #: bytes an accelerator
    memory: Fact | None = None
    #: dense peak FLOP/s an accelerator, by `bf16`, `tf32` and `fp32`
    peak: Mapping[str, Fact] = field(default_factory=dict)
    #: bytes/s between an accelerator and its memory
    memory_bandwidth: Fact | None = None
    #: bytes/s between one accelerator and the others, both directions together
    link_bandwidth: Fact | None = None
    #: of the whole machine, in the currency that the source names
    price_per_hour: Fact | None = None


def flops_per_token(shape: Mapping[str, Any], share: Mapping[str, Any], length: float) -> float:
    """Floating-point operations a token, forward and backward, in rows of mean `length` tokens.

    A matrix product costs 2 operations a parameter and token forward, 2 more where the gradient passes through it and
    2 more where its parameters learn: 6 in full fine-tuning (Kaplan et al. 2020, "Scaling Laws for Neural Language
    Models"). Attention adds 4 × hidden × length a layer forward and twice that in each layer that the gradient
    reaches: 12 in full fine-tuning (Chowdhery et al. 2022, "PaLM", appendix B).
    """
    multiplied = shape["parameters"] - shape["lookup_parameters"]
    products = 2 * (multiplied + share["reached"] + share["learning"])
    attention = (4 * shape["layers"] + 8 * share["layers"]) * shape["hidden"] * length
    return float(products + attention)
