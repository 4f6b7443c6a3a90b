"""How a model is sharded by torch's FSDP2 through accelerate, for Trainer and for recipes with their own loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from benchspec_plugins.backends.devices import join_group


def make_accelerator(settings: Mapping[str, Any], bf16: bool) -> Any:
    """An accelerator as Trainer makes it, for FSDP with these settings."""
    import torch
    from accelerate import Accelerator  # type: ignore[import-untyped]
    from accelerate.utils import FullyShardedDataParallelPlugin  # type: ignore[import-untyped]

    join_group()
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="TRANSFORMER_BASED_WRAP", **settings)
    on_cpu = not torch.cuda.is_available()
    accelerator = Accelerator(cpu=on_cpu, mixed_precision="bf16" if bf16 else "no", fsdp_plugin=plugin)
    if on_cpu:
        tell_accelerate(accelerator, plugin)
    keep_losses(plugin)
    return accelerator


def tell_accelerate(accelerator: Any, plugin: Any) -> None:
    """Make accelerate use FSDP on a CPU, where it would silently train plain DDP."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    state = accelerator.state
    if state.mixed_precision != "no":
        plugin.set_mixed_precision(state.mixed_precision)
    state._shared_state |= {"fsdp_plugin": plugin, "distributed_type": DistributedType.FSDP}
    # Each new AcceleratorState reads the type from here; otherwise no_sync would do nothing on a CPU.
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP


def keep_losses(plugin: Any) -> None:
    """Leave outputs as the model computes them: accelerate would round the loss to bfloat16, three digits."""
    if plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = replace(plugin.mixed_precision_policy, output_dtype=None)


def shard(accelerator: Any, model: Any) -> list[str]:
    """Shard the model in place, with rank 0's values; returns the names of its blocks."""
    from accelerate.utils.fsdp_utils import (  # type: ignore[import-untyped]
        fsdp2_prepare_auto_wrap_policy,
        fsdp2_prepare_model,
    )

    plugin = accelerator.state.fsdp_plugin
    plugin.set_auto_wrap_policy(model)
    is_block = fsdp2_prepare_auto_wrap_policy(plugin, model)
    blocks = [name for name, module in model.named_modules() if is_block(module)]
    with _persistent_buffers_apart(model):
        fsdp2_prepare_model(accelerator, model)
    return blocks


@contextmanager
def _persistent_buffers_apart(model: Any) -> Iterator[None]:
    """A context in which no buffer is part of the state dict, where accelerate fails on it; then all have rank 0's."""
    import torch.distributed as dist

    saved = [
        (module, name)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and name not in module._non_persistent_buffers_set
    ]
    for module, name in saved:
        module._non_persistent_buffers_set.add(name)
    yield
    for module, name in saved:
        module._non_persistent_buffers_set.remove(name)
        dist.broadcast(module._buffers[name], src=0)


@contextmanager
def empty_models() -> Iterator[None]:
    """A context in which models have no storage for their parameters, but real buffers, and no checkpoint is read."""
    from unittest.mock import patch

    from torch.nn import Module
    from transformers import PreTrainedModel

    unread = patch.object(PreTrainedModel, "from_pretrained", classmethod(_from_configuration))
    with patch.object(Module, "register_parameter", _registering_empty(Module.register_parameter)), unread:
        yield


def _registering_empty(register: Any) -> Any:
    """`Module.register_parameter` that keeps the shape of a parameter only."""
    from torch.nn import Parameter

    def register_empty(module: Any, name: str, parameter: Any) -> None:
        # One that is empty already stays the same: it may be tied.
        if parameter is not None and not parameter.is_meta:
            parameter = Parameter(parameter.to("meta"), parameter.requires_grad)
        register(module, name, parameter)

    return register_empty


def _from_configuration(cls: Any, path: str, /, *args: Any, config: Any = None, **kwargs: Any) -> Any:
    """`from_pretrained` that reads no weights."""
    import torch

    hub = {key: kwargs[key] for key in ("revision", "token", "cache_dir", "local_files_only") if key in kwargs}
    chosen = {key: kwargs[key] for key in ("attn_implementation",) if key in kwargs}
    config = cls.config_class.from_pretrained(path, **hub) if config is None else config
    return cls._from_config(config, dtype=torch.float32, **chosen)
