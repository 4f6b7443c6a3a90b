"""The float32 copies of the weights that DeepSpeed's optimizer updates in bf16 training, its master weights.

DeepSpeed makes them from the bfloat16 model, so they would start from rounded weights, unlike those of other backends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: this rank's part of each trained parameter, in float32, by name
Parts = Mapping[str, Any]


def keep(model: Any) -> Parts:
    """This rank's part of each trained parameter of a float32 model, in host memory: one copy of the model a group.

    Under stage 3 it is the rank's shard. Under stages 1 and 2, where every rank has the whole model, it is an equal
    share of each parameter.
    """
    return {name: _part(parameter).to("cpu", copy=True) for name, parameter in _trained(model)}


def restore(model: Any, parts: Parts) -> None:
    """Set the master weights of a model that DeepSpeed has initialised; every rank calls it."""
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_local_fp32_param

    trained = dict(_trained(model))
    for name, part in parts.items():
        if hasattr(trained[name], "ds_tensor"):
            safe_set_local_fp32_param(trained[name], part)
        else:
            safe_set_full_fp32_param(trained[name], _gathered(part, trained[name]))


def _trained(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _part(parameter: Any) -> Any:
    import torch
    import torch.distributed as dist

    if hasattr(parameter, "ds_tensor"):
        return parameter.ds_tensor.detach()
    flat = parameter.detach().reshape(-1)
    size = -(-flat.numel() // dist.get_world_size())
    share = flat[dist.get_rank() * size :][:size]
    # All ranks' parts are gathered into one tensor, so they have one size.
    return torch.nn.functional.pad(share, (0, size - share.numel()))


def _gathered(part: Any, parameter: Any) -> Any:
    """A whole parameter in float32, from the parts of all ranks."""
    import torch.distributed as dist

    whole = part.new_empty(part.numel() * dist.get_world_size(), device=parameter.device)
    dist.all_gather_into_tensor(whole, part.to(parameter.device))
    return whole[: parameter.numel()]
