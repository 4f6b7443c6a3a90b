"""The parts of a network of `transformers` that methods choose among, and the sizes of parts of a block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchspec import PluginError, Shape


def find_blocks(network: Any) -> tuple[list[Any], list[Any]]:
    """The network's blocks in order, and the norms beside them: the one after the last block.

    Raises `PluginError` if the network has no list of blocks.
    """
    from torch.nn import ModuleList

    known = set(getattr(network, "_no_split_modules", None) or ())
    for name, module in network.named_modules():
        if isinstance(module, ModuleList) and len(module) and _are_blocks(module, known):
            parent = network.get_submodule(name.rpartition(".")[0])
            return list(module), list(_norms(parent))
    raise PluginError(f"{type(network).__name__} has no list of blocks that methods could choose from")


def _are_blocks(modules: Any, known: set[str]) -> bool:
    return not known or all(type(module).__name__ in known for module in modules)


def _norms(parent: Any) -> Iterator[Any]:
    """The norms of the whole network; BLOOM's norm of its embeddings is not among them."""
    for name, child in parent.named_children():
        if "Norm" in type(child).__name__ and "embed" not in name:
            yield child


def attention_inputs(shape: Shape) -> int:
    """Parameters of a block's projections to queries, keys and values, biases not counted."""
    return shape.hidden * (_queries(shape) + 2 * (shape.key_value_width or shape.hidden))


def attention_output(shape: Shape) -> int:
    """Parameters of a block's projection of what attention returns."""
    return _queries(shape) * shape.hidden


def _queries(shape: Shape) -> int:
    return shape.query_width or shape.hidden
