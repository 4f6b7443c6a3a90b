"""Optimizer states, gradients and parameters spread over the processes: DeepSpeed's ZeRO 1, 2 and 3."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

from benchspec import Backend, PluginError, hookimpl
from benchspec_plugins.backends.devices import on_own_accelerator

#: seconds that ranks wait for the one that reads or downloads a checkpoint
PATIENCE = 2 * 3600
#: options that DeepSpeed reads at some stages only
STAGES = {
    "allgather_bucket_size": (1, 2),
    "stage3_prefetch_bucket_size": (3,),
    "stage3_param_persistence_threshold": (3,),
    "stage3_max_live_parameters": (3,),
    "sub_group_size": (3,),
    "offload_param": (3,),
}


def _option(type_: str, description: str) -> dict[str, Any]:
    return {"type": [type_, "null"], "default": None, "description": f"{description} (default: DeepSpeed's)"}


def _offload(what: str) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "properties": {"device": {"const": "cpu", "description": "where to"}},
        "required": ["device"],
        "additionalProperties": False,
        "default": None,
        "description": f"keep {what} in host memory",
    }


class DeepSpeed(Backend):
    """ZeRO: optimizer states (stage 1), gradients too (2) and parameters too (3) in shards, one a process.

    The options carry DeepSpeed's own names; one that is null is left to DeepSpeed. Under stage 3 a model is split up
    while it is built, so a host never holds more than one full copy; under stages 1 and 2 every process has one.
    """

    name = "deepspeed"
    options_schema = {
        "properties": {
            "stage": {"enum": [1, 2, 3], "default": 3, "description": "what is spread: see the class"},
            "overlap_comm": _option("boolean", "reduce gradients while others are computed"),
            "contiguous_gradients": _option("boolean", "copy gradients into one buffer as they come"),
            "reduce_bucket_size": _option("integer", "elements reduced at once"),
            "allgather_bucket_size": _option("integer", "elements gathered at once; stages 1 and 2"),
            "stage3_prefetch_bucket_size": _option("integer", "elements fetched ahead; stage 3"),
            "stage3_param_persistence_threshold": _option("integer", "smaller parameters stay whole; stage 3"),
            "stage3_max_live_parameters": _option("integer", "elements that may be whole at once; stage 3"),
            "sub_group_size": _option("integer", "elements that the optimizer works on at once; stage 3"),
            "offload_optimizer": _offload("optimizer states"),
            "offload_param": _offload("parameters (stage 3)"),
        }
    }

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(options)
        given = (name for name, stages in STAGES.items() if options[name] is not None and self.stage not in stages)
        if idle := next(given, None):
            stages = " or ".join(map(str, STAGES[idle]))
            raise PluginError(
                f"backend 'deepspeed' does not use {idle} at stage {self.stage}: leave it out, or choose stage {stages}"
            )

    @property
    def stage(self) -> int:
        return int(self.options["stage"])

    def arguments(self) -> dict[str, Any]:
        import torch

        _set_up()
        config = {
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "bf16": {"enabled": "auto"},
            "zero_optimization": self._zero(),
            # DeepSpeed's own optimizer for offloaded states is compiled at first use; on a CPU torch's is as good.
            "zero_force_ds_cpu_optimizer": torch.cuda.is_available(),
        }
        return {"deepspeed": config}

    def _zero(self) -> dict[str, Any]:
        given = {name: value for name, value in self.options.items() if value is not None}
        return given | ({"stage3_gather_16bit_weights_on_model_save": True} if self.stage == 3 else {})

    def building(self) -> AbstractContextManager[Any]:
        if self.stage == 3:
            return _splitting(self._zero())
        # A model whose optimizer is kept on the host may be one that has no room for float32 on the accelerator.
        return nullcontext() if self.options["offload_optimizer"] else on_own_accelerator()

    def trainer(self, cls: type) -> type:
        if self.stage < 3:
            return cls

        class Splitting(cls):  # type: ignore[misc]
            """Trainer that gives shards built in float32 the precision that DeepSpeed takes for granted."""

            def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
                if self.args.bf16:
                    _to_bfloat16(self.model)
                return super().create_optimizer(*args, **kwargs)

        return Splitting

    def prove(self, model: Any) -> dict[str, Any]:
        import torch.distributed as dist
        from deepspeed import DeepSpeedEngine

        if not isinstance(model, DeepSpeedEngine):
            raise RuntimeError(f"the model is a {type(model).__name__}, not a DeepSpeedEngine")
        if (stage := model.zero_optimization_stage()) != self.stage:
            raise RuntimeError(f"DeepSpeed runs ZeRO stage {stage}, not {self.stage}")
        world = dist.get_world_size()
        local, total, pieces = _states(model) if self.stage < 3 else _partitions(model)
        # Every piece is padded, by less than two elements a rank.
        if not 0 <= local * world - total < 2 * world * pieces:
            raise RuntimeError(f"this rank holds {local} of {total} elements, with {world} ranks")
        return {"sharding": f"zero-{stage}", "world": world, "local_parameters": local, "total_parameters": total}


def _states(engine: Any) -> tuple[int, int, int]:
    """Elements that this rank's optimizer updates, that all of them do, and in how many pieces."""
    pieces = [piece for group in engine.optimizer.optimizer.param_groups for piece in group["params"]]
    trained = sum(p.numel() for p in engine.module.parameters() if p.requires_grad)
    return sum(piece.numel() for piece in pieces), trained, len(pieces)


def _partitions(engine: Any) -> tuple[int, int, int]:
    """Elements that this rank stores, that all of them do, and in how many pieces."""
    parameters = list(engine.module.parameters())
    if any(not hasattr(parameter, "ds_tensor") for parameter in parameters):
        raise RuntimeError("not every parameter is partitioned")
    local = sum(parameter.ds_tensor.numel() for parameter in parameters)
    return local, sum(parameter.ds_numel for parameter in parameters), len(parameters)


@contextmanager
def _splitting(zero: Mapping[str, Any]) -> Iterator[None]:
    """A context in which `transformers` splits up every parameter as soon as it is there."""
    _set_up()
    import deepspeed
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    deepspeed.init_distributed(timeout=timedelta(seconds=PATIENCE))
    # transformers asks for as long as this lives; Trainer makes its own one afterwards.
    settings = {"train_micro_batch_size_per_gpu": 1, "zero_optimization": dict(zero)}
    config = HfDeepSpeedConfig(settings)  # type: ignore[no-untyped-call]
    yield
    del config


def _to_bfloat16(model: Any) -> None:
    import torch

    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
        parameter.ds_tensor.data = parameter.ds_tensor.data.to(torch.bfloat16)


def _set_up() -> None:
    """Import DeepSpeed so that it knows its device, compiles nothing on a CPU, and warns on stderr."""
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    from deepspeed.utils import logger

    if deepspeed.get_accelerator().device_name() == "cpu":
        # Nothing that would have to be compiled; asking what could be would run the linker.
        deepspeed.ops.__compatible_ops__ = defaultdict(bool)
    for handler in logger.handlers:
        if handler.stream is sys.stdout:
            handler.setStream(sys.stderr)


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [DeepSpeed]
