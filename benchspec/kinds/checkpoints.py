"""Loading what a training has saved."""

from __future__ import annotations

from typing import Any

from benchspec.terms.errors import BenchspecError


def load_whole(name: str, dtype: Any) -> Any:
    """The causal model of `transformers` in a folder or the hub's cache, its parameters of torch's type `dtype`.

    Raises `BenchspecError` if it lacks parameters: `transformers` only warns, and makes them up.
    """
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    network, info = auto.from_pretrained(
        name, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True
    )
    if missing := sorted(info.get("missing_keys", ())):
        raise BenchspecError(f"{name} lacks {len(missing)} of the network's parameters, such as {missing[0]}")
    return network


def cast(network: Any, dtype: Any) -> Any:
    """The network with its parameters of torch's type `dtype`, as `from_pretrained` makes them.

    `Module.to` would round buffers too, such as the frequencies of rotary positions.
    """
    for parameter in network.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    return network
