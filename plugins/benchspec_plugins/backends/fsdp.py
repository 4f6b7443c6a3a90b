"""Parameters, gradients and optimizer states spread over the processes: torch's FSDP2 through accelerate."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from benchspec import Backend, Engine, hookimpl
from benchspec_plugins.backends import fsdp_sharding
from benchspec_plugins.backends.fsdp_proof import Gradients, parameter_elements


class Fsdp(Backend):
    """Parameters, gradients and optimizer states in shards, one per process; a block is whole only while it computes.

    Rank 0 builds the model, the others an empty one, and each shard is sent to where it belongs: a host never holds
    more than one full copy. A checkpoint that Trainer writes on the way is sharded; the final save is whole and loads
    with `from_pretrained`. A recipe with its own loop always saves the whole model.

    `sync_each_batch` decides between memory and communication where a step has several micro-batches. True: gradients
    cross the ranks after each, and are added up in float32, in shards: 4 bytes a parameter, divided by the ranks.
    False, as Trainer does by itself: they cross once a step, and until then each rank adds all of them up whole, in the
    precision of the computation: in bf16 2 bytes a parameter, 60 GB for 30 billion, however many ranks there are.
    """

    name = "fsdp"
    # The others compute with whole tensors of their own, which torch does not mix with shards.
    optimizers: Collection[str] = ("adamw", "adamw_fused")
    options_schema = {
        "properties": {
            "reshard_after_forward": {
                "type": "boolean",
                "default": True,
                "description": "free a block's gathered parameters between its forward and backward pass: "
                "less memory, one more all-gather",
            },
            "sync_each_batch": {
                "type": "boolean",
                "default": True,
                "description": "gradients cross the ranks after each micro-batch and stay in shards; false: once a "
                "step, and each rank keeps all of them whole until then: less communication, more memory",
            },
        }
    }

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(options)
        self._gradients = Gradients()
        #: names of the modules that are sharded on their own
        self._blocks: list[str] = []

    def arguments(self) -> dict[str, Any]:
        accumulation = {"sync_each_batch": self.options["sync_each_batch"]}
        return {
            "fsdp": True,
            "fsdp_config": self._settings(),
            "accelerator_config": {"gradient_accumulation_kwargs": accumulation},
        }

    def _settings(self) -> dict[str, Any]:
        """The FSDP settings for accelerate, under Trainer and in `spread`."""
        return {
            "reshard_after_forward": self.options["reshard_after_forward"],
            "cpu_ram_efficient_loading": True,
            # A full one aborts in gloo, and would be gathered once more for every checkpoint.
            "state_dict_type": "SHARDED_STATE_DICT",
        }

    def building(self) -> AbstractContextManager[Any]:
        return nullcontext() if os.environ.get("RANK", "0") == "0" else fsdp_sharding.empty_models()

    def trainer(self, cls: type) -> type:
        backend = self

        class Sharding(cls):  # type: ignore[misc]
            """Trainer that shards on a CPU too, fills shards from rank 0, and saves one whole model at the end."""

            is_fsdp_enabled: bool

            def create_accelerator_and_postprocess(self) -> None:
                from accelerate.utils import FullyShardedDataParallelPlugin  # type: ignore[import-untyped]

                super().create_accelerator_and_postprocess()
                if not self.is_fsdp_enabled:
                    plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
                    fsdp_sharding.tell_accelerate(self.accelerator, plugin)
                    self.is_fsdp_enabled = True
                fsdp_sharding.keep_losses(self.accelerator.state.fsdp_plugin)

            def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
                # Before the optimizer: accelerate identifies its parameters by their address in memory, and those of
                # an empty model all have the same, so that all ranks but the first would train a single one.
                backend._blocks = fsdp_sharding.shard(self.accelerator, self.model)
                return super().create_optimizer(*args, **kwargs)

            def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
                import torch

                batches, labelled = super().get_batch_samples(*args, **kwargs)
                # Trainer's count of labelled tokens is a float, and FSDP2 rounds every float that a model is called
                # with to bfloat16: 1165 tokens would be 1168.
                return batches, labelled.round().long() if torch.is_tensor(labelled) else labelled

            def training_step(self, model: Any, *args: Any, **kwargs: Any) -> Any:
                loss = super().training_step(model, *args, **kwargs)
                if not self.accelerator.sync_gradients:
                    backend._gradients.count(model)
                return loss

            def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
                import torch.distributed as dist

                if not _internal_call:
                    self._save(output_dir, state_dict=whole_weights(self.model))
                    dist.barrier()

        return Sharding

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        accelerator = fsdp_sharding.make_accelerator(self._settings(), bf16=train["precision"] == "bf16")
        self._blocks = fsdp_sharding.shard(accelerator, model)
        return FsdpEngine(model, optimizer(model), train, self.options["sync_each_batch"], self._gradients)

    def local(self, parameter: Any) -> Any:
        return parameter.to_local() if hasattr(parameter, "to_local") else parameter

    def prove(self, model: Any) -> dict[str, Any]:
        import torch.distributed as dist
        from torch.distributed.fsdp import FSDPModule

        if not isinstance(model, FSDPModule):
            raise RuntimeError(f"the model is a {type(model).__name__}, not sharded by FSDP2")
        self._prove_blocks(model)
        world = dist.get_world_size()
        local, total = parameter_elements(model, world)
        return {
            "sharding": "fsdp2",
            "world": world,
            "local_parameters": local,
            "total_parameters": total,
            **self._prove_gradients(local),
        }

    def _prove_blocks(self, model: Any) -> None:
        """Raise unless each block is sharded on its own."""
        from torch.distributed.fsdp import FSDPModule

        modules = dict(model.named_modules())
        whole = [name for name in self._blocks if not isinstance(modules[name], FSDPModule)]
        if whole or not self._blocks:
            raise RuntimeError(f"{len(whole)} of {len(self._blocks)} blocks are not sharded on their own: {whole[:1]}")

    def _prove_gradients(self, local: int) -> dict[str, Any]:
        """What was counted between micro-batches; raises if gradients were whole that should be in shards."""
        sync, held = self.options["sync_each_batch"], self._gradients.elements
        if sync and held is not None and held > local:
            raise RuntimeError(
                f"this rank held {held} elements of gradients between micro-batches, more than its {local} parameters, "
                "though sync_each_batch keeps gradients in shards"
            )
        return {"sync_each_batch": sync, "gradient_elements_between_batches": held}


class FsdpEngine(Engine):
    """A model sharded in place, and its optimizer."""

    def __init__(
        self, module: Any, optimizer: Any, train: Mapping[str, Any], sync_each_batch: bool, gradients: Gradients
    ):
        super().__init__(module, optimizer, train)
        self._sync_each_batch = sync_each_batch
        self._gradients = gradients

    @contextmanager
    def computing(self, last: bool) -> Iterator[None]:
        # The precision is FSDP's own, without autocast, as under Trainer.
        self.module.set_requires_gradient_sync(last or self._sync_each_batch)
        yield
        if not last:
            self._gradients.count(self.module)

    def _whole(self, norm: Any) -> float:
        return float(norm.full_tensor())

    def _weights(self) -> Any:
        return whole_weights(self.module)


def whole_weights(model: Any) -> Any:
    """The state dict of the whole model, gathered in rank 0's host memory."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [Fsdp]
