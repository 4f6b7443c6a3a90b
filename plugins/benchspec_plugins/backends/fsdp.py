"""Parameters, gradients and optimizer states spread over the processes: torch's FSDP2 through accelerate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from benchspec import Backend, hookimpl


class Fsdp(Backend):
    """Parameters, gradients and optimizer states in shards, one a process; a block is whole only while it computes.

    Rank 0 builds the model, the others an empty one, and each shard is sent to where it belongs: a host never holds
    more than one full copy. Blocks are the model's `_no_split_modules`. A checkpoint on the way is sharded, the final
    save is whole and loads with `from_pretrained`.
    """

    name = "fsdp"
    options_schema = {
        "properties": {
            "reshard_after_forward": {
                "type": "boolean",
                "default": True,
                "description": "give a block's parameters up again between its forward and its backward: "
                "less memory, one more gathering",
            }
        }
    }

    def arguments(self) -> dict[str, Any]:
        return {
            "fsdp": True,
            "fsdp_config": {
                "reshard_after_forward": self.options["reshard_after_forward"],
                "cpu_ram_efficient_loading": True,
                # A full one aborts in gloo, and would be gathered once more for every checkpoint.
                "state_dict_type": "SHARDED_STATE_DICT",
            },
        }

    def building(self) -> AbstractContextManager[Any]:
        return nullcontext() if os.environ.get("RANK", "0") == "0" else _empty()

    def trainer(self, cls: type) -> type:
        class Sharding(cls):  # type: ignore[misc]
            """Trainer that shards on a CPU too, fills shards from rank 0, and saves one whole model at the end."""

            def create_accelerator_and_postprocess(self) -> None:
                super().create_accelerator_and_postprocess()
                if not self.is_fsdp_enabled:
                    _tell_accelerate(self)
                _keep_losses(self.accelerator.state.fsdp_plugin)

            def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
                from accelerate.utils.fsdp_utils import fsdp2_prepare_model  # type: ignore[import-untyped]

                # Before the optimizer: accelerate tells its parameters apart by their address in memory, and those of
                # an empty model all have the same, so that all ranks but the first would train a single one.
                fsdp2_prepare_model(self.accelerator, self.model)
                return super().create_optimizer(*args, **kwargs)

            def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
                if not _internal_call:
                    _save_whole(self, output_dir)

        return Sharding

    def prove(self, model: Any) -> dict[str, Any]:
        import torch.distributed as dist
        from torch.distributed.fsdp import FSDPModule

        if not isinstance(model, FSDPModule):
            raise RuntimeError(f"the model is a {type(model).__name__}, not sharded by FSDP2")
        blocks = _blocks(model)
        whole = [name for name, block in blocks if not isinstance(block, FSDPModule)]
        if whole or not blocks:
            raise RuntimeError(f"{len(whole)} of {len(blocks)} blocks are not sharded on their own: {whole[:1]}")
        world = dist.get_world_size()
        local, total = _shards(model, world)
        return {"sharding": "fsdp2", "world": world, "local_parameters": local, "total_parameters": total}


def _blocks(model: Any) -> list[tuple[str, Any]]:
    """The modules to shard by; sharding has put a class of its own before theirs."""
    names = set(model._no_split_modules or ())
    return [(name, m) for name, m in model.named_modules() if names & {cls.__name__ for cls in type(m).__mro__}]


def _shards(model: Any, world: int) -> tuple[int, int]:
    """This rank's and all elements; raises unless every parameter is split over all ranks, and evenly."""
    import torch
    import torch.distributed as dist
    from torch.distributed.tensor import DTensor

    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if not isinstance(parameter, DTensor):
            raise RuntimeError(f"{name} is not sharded")
        if parameter.device_mesh.size() != world or not all(place.is_shard() for place in parameter.placements):
            raise RuntimeError(f"{name} is spread as {parameter.placements} over {parameter.device_mesh.size()} ranks")
    shards = [parameter.to_local() for parameter in parameters.values()]
    local, total = (sum(p.numel() for p in each) for each in (shards, parameters.values()))
    # A tensor is split by its first dimension, so the ranks before the last hold the next whole number of rows.
    share = sum(-(-p.shape[0] // world) * (p.numel() // p.shape[0]) for p in parameters.values())
    together = torch.tensor(local, device=shards[0].device)
    dist.all_reduce(together)
    if local > share or together.item() != total:
        raise RuntimeError(f"this rank holds {local} of {total} parameters, all {world} ranks {together.item()}")
    return local, total


@contextmanager
def _empty() -> Iterator[None]:
    """A context in which models have no storage for their parameters, but real buffers, and no checkpoint is read."""
    from unittest.mock import patch

    from accelerate import init_empty_weights  # type: ignore[import-untyped]
    from transformers import PreTrainedModel

    def from_configuration(cls: Any, path: str, /, *args: Any, config: Any = None, **kwargs: Any) -> Any:
        import torch

        hub = {key: kwargs[key] for key in ("revision", "token", "cache_dir", "local_files_only") if key in kwargs}
        chosen = {key: kwargs[key] for key in ("attn_implementation",) if key in kwargs}
        config = cls.config_class.from_pretrained(path, **hub) if config is None else config
        return cls._from_config(config, dtype=torch.float32, **chosen)

    unread = patch.object(PreTrainedModel, "from_pretrained", classmethod(from_configuration))
    with init_empty_weights(include_buffers=False), unread:
        yield


def _tell_accelerate(trainer: Any) -> None:
    """Make accelerate take FSDP seriously where there is no accelerator: it silently trains plain DDP otherwise."""
    from accelerate.utils import (  # type: ignore[import-untyped]
        DistributedType,
        FullyShardedDataParallelPlugin,
    )

    state = trainer.accelerator.state
    plugin = FullyShardedDataParallelPlugin(**trainer.args.fsdp_plugin_args)
    if state.mixed_precision != "no":
        plugin.set_mixed_precision(state.mixed_precision)
    state._shared_state |= {"fsdp_plugin": plugin, "distributed_type": DistributedType.FSDP}
    trainer.is_fsdp_enabled = True


def _keep_losses(plugin: Any) -> None:
    """Leave outputs as the model computes them: accelerate would round the loss to bfloat16, three digits."""
    if plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = replace(plugin.mixed_precision_policy, output_dtype=None)


def _save_whole(trainer: Any, folder: str | None) -> None:
    """Gather the model on rank 0 and save it as `save_pretrained` does."""
    import torch.distributed as dist
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    trainer._save(folder, state_dict=get_model_state_dict(trainer.model, options=whole))
    dist.barrier()


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [Fsdp]
