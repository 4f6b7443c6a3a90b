"""The plain values that plugins and the core exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Integral
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One training example; `input` is empty if the instruction needs none."""

    instruction: str
    input: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A transformer's published dimensions, enough to count its parameters and operations without building it.

    Its arguments are given by name.
    """

    layers: int
    hidden: int
    heads: int
    ffn: int
    vocabulary: int
    #: the maximum sequence length; None for no limit (ALiBi)
    positions: int | None
    #: whether the output head shares the word embeddings' matrix
    tied_head: bool
    #: the number of parameters, a tied head counted once
    parameters: int
    #: parameters that are only looked up, not used in matrix products: word embeddings and position tables
    lookup_parameters: int
    #: parameters used for each token, if not all of them: a mixture of experts chooses some of its experts
    active_parameters: int | None = None
    #: parameters of one block that each token is multiplied with; None: not known, and methods that train a part of a
    #: model then have no MFU
    block_parameters: int | None = None
    #: width of a token's queries, all heads together; None: `hidden`
    query_width: int | None = None
    #: width of a token's keys, all heads together, and of its values; None: `hidden`
    key_value_width: int | None = None
    #: whether attention and feed-forward network of a block work side by side on its input, as in GPT-J
    parallel: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for counts that no network has; whatever integer type they are of, they become `int`."""
        wrong = [name for name, (least, optional) in COUNTS.items() if not self._settle(name, least, optional)]
        if wrong:
            said = "; ".join(f"{name} is {_shown(getattr(self, name))}" for name in wrong)
            raise ValueError(f"no network has such a Shape: {said}")
        used = self.parameters if self.active_parameters is None else self.active_parameters
        if not self.lookup_parameters <= used <= self.parameters or (self.block_parameters or 0) > self.parameters:
            parts = ("lookup_parameters", "active_parameters", "block_parameters")
            said = ", ".join(f"{name} {count}" for name in parts if (count := getattr(self, name)) is not None)
            raise ValueError(f"no network has such a Shape: {said}, of {self.parameters} parameters")

    def _settle(self, name: str, least: int, optional: bool) -> bool:
        """Whether a count can be that of a network."""
        count = getattr(self, name)
        if count is None:
            return optional
        if type(count) is not int:
            if isinstance(count, bool) or not isinstance(count, Integral):
                return False
            object.__setattr__(self, name, int(count))
        return least <= int(count) < MOST

    @property
    def multiplied(self) -> int:
        """Parameters that are used in matrix products for every token."""
        used = self.parameters if self.active_parameters is None else self.active_parameters
        return used - self.lookup_parameters

    def to_json(self) -> dict[str, Any]:
        """Its fields, without those at the end that are at their defaults."""
        optional = {each.name: each.default for each in fields(self) if each.default is not MISSING}
        return {name: value for name, value in asdict(self).items() if name not in optional or value != optional[name]}


#: the counts of a `Shape` -> the least that they can be, and whether they may be None
COUNTS: Mapping[str, tuple[int, bool]] = {
    **dict.fromkeys(("layers", "hidden", "parameters"), (1, False)),
    **dict.fromkeys(("heads", "ffn", "vocabulary", "lookup_parameters"), (0, False)),
    **dict.fromkeys(("positions", "active_parameters", "block_parameters"), (1, True)),
    **dict.fromkeys(("query_width", "key_value_width"), (1, True)),
}
#: more parameters than any network will have
MOST = 10**18


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | float) or value is None else f"{value!s:.30}"


class Share(NamedTuple):
    """How much of a network a method trains, to compute the FLOPs of a step."""

    #: trained parameters, of those used in matrix products
    learning: int
    #: parameters that the gradient passes through, of those used in matrix products
    reached: int
    #: the number of blocks that the gradient reaches
    layers: int
    #: parameters used in matrix products that the method adds to the model's own; `learning` and `reached` count them
    added: int = 0


class End(NamedTuple):
    """How a case ended, as whatever manages its processes says."""

    #: an outcome other than `ok`, such as `timeout`
    outcome: str
    #: in one sentence
    reason: str


class Fact(NamedTuple):
    """A figure and its source."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A machine's figures; an unknown figure is None or a missing key. Its arguments are given by name."""

    #: the vendor's name, e.g. "NVIDIA H100 80GB HBM3"; None if the machine has no accelerator
    accelerator: str | None
    #: how many
    accelerators: int
    #: bytes per accelerator
    memory: Fact | None = None
    #: dense peak FLOP/s per accelerator, by `bf16`, `tf32` and `fp32`
    peak: Mapping[str, Fact] = field(default_factory=dict)
    #: bytes/s between an accelerator and its memory
    memory_bandwidth: Fact | None = None
    #: bytes/s between one accelerator and the others, the sum of both directions
    link_bandwidth: Fact | None = None
    #: price of the whole machine
    price_per_hour: Fact | None = None
    #: the currency of the price, three letters as in ISO 4217; None if it is not known
    currency: str | None = None


#: the fields of `Facts` that are a single figure with a source
FIGURES = ("memory", "memory_bandwidth", "link_bandwidth", "price_per_hour")


def flops_per_token(shape: Mapping[str, Any], share: Mapping[str, Any], length: float) -> float:
    """FLOPs per token, forward and backward, for rows of `length` tokens on average.

    A matrix product costs 2 FLOPs per parameter and token forward, 2 more if the gradient passes through it, and 2
    more if its parameters are trained: 6 in full fine-tuning (Kaplan et al. 2020, "Scaling Laws for Neural Language
    Models"). Attention adds 4 × the queries' width × length per layer forward and twice that in each layer that the
    gradient reaches: 12 in full fine-tuning (Chowdhery et al. 2022, "PaLM", appendix B).
    """
    used = shape.get("active_parameters") or shape["parameters"]
    multiplied = used - shape["lookup_parameters"] + share.get("added", 0)
    products = 2 * (multiplied + share["reached"] + share["learning"])
    attention = (4 * shape["layers"] + 8 * share["layers"]) * (shape.get("query_width") or shape["hidden"]) * length
    return float(products + attention)


def flops_computed(
    shape: Mapping[str, Any],
    share: Mapping[str, Any],
    length: float,
    blocks: int,
    head: int,
    *,
    blocks_again: bool,
) -> float:
    """FLOPs of so many tokens in the blocks, in rows of `length` tokens on average, and so many in the output head.

    `blocks_again`: whether the blocks' forward pass is computed again for the backward pass (activation checkpointing).
    The head has vocabulary × hidden size parameters; its part of a token is as `flops_per_token` counts it.
    """
    in_head = shape["vocabulary"] * shape["hidden"]
    used = (shape.get("active_parameters") or shape["parameters"]) - shape["lookup_parameters"]
    added = share.get("added", 0)
    # The gradient passes through the head, which learns where all parameters do.
    each_head = 2 * in_head * (3 if share["learning"] >= used else 2)
    if blocks_again:
        # transformers has the gradient then reach the input of every block.
        share = {**share, "reached": used + added, "layers": shape["layers"]}
    each_block = flops_per_token(shape, share, length) - each_head
    if blocks_again:
        # torch stops before a block's last product, of which nothing is needed.
        last = shape["layers"] * shape["ffn"] * shape["hidden"]
        attention = 4 * shape["layers"] * (shape.get("query_width") or shape["hidden"]) * length
        each_block += 2 * (used + added - in_head - last) + attention
    return float(each_block * blocks + each_head * head)
