"""Optimizer states, gradients and parameters spread over the processes: DeepSpeed's ZeRO."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

from benchspec import Backend, Engine, PluginError, hookimpl
from benchspec.terms.errors import install
from benchspec_plugins.backends import deepspeed_file, deepspeed_masters, deepspeed_setup
from benchspec_plugins.backends.devices import PATIENCE, on_own_accelerator
from benchspec_plugins.backends.equal import differing_parameters

#: options that DeepSpeed reads at some stages only
STAGES = {
    "allgather_bucket_size": (1, 2),
    "stage3_prefetch_bucket_size": (3,),
    "stage3_param_persistence_threshold": (3,),
    "stage3_max_live_parameters": (3,),
    "sub_group_size": (3,),
    "offload_optimizer": (1, 2, 3),
    "offload_param": (3,),
}


def _option(type_: str, description: str) -> dict[str, Any]:
    return {"type": [type_, "null"], "default": None, "description": f"{description} (default: DeepSpeed's)"}


#: what an option that keeps something elsewhere than on the accelerator holds
_ELSEWHERE = {
    "properties": {
        "device": {
            "enum": ["cpu", "nvme"],
            "description": "host memory, or files on an NVMe drive (optimizer states at stage 3)",
        },
        "nvme_path": {"type": "string", "format": "path", "description": "the folder of the files"},
    },
    "required": ["device"],
    "if": {"properties": {"device": {"const": "nvme"}}},
    "then": {"required": ["nvme_path"]},
    "else": {"not": {"required": ["nvme_path"]}},
    "additionalProperties": False,
}


def _offload(description: str) -> dict[str, Any]:
    return {"type": ["object", "null"], **_ELSEWHERE, "default": None, "description": description}


class DeepSpeed(Backend):
    """ZeRO: optimizer states (stage 1), gradients too (2) and parameters too (3) in shards, one per process.

    The options carry DeepSpeed's own names; one that is null is left to DeepSpeed. Stage 0 spreads nothing: each
    process has all of it, as under `ddp`. `config` is a DeepSpeed JSON file, in place of all other options. Under
    stage 3 a model is split up while it is built, so a host never holds more than one full copy; under the others
    every process has one.

    In bf16 training DeepSpeed's model is bfloat16, with float32 copies in the optimizer. They start from the float32
    weights, as under other backends, unless they are on a drive; DeepSpeed alone would start them from weights rounded
    to bfloat16. Until training begins, that takes one more copy of the model in the group's host memory. Gradients of
    micro-batches are added up in bfloat16. bfloat16 is what is saved.
    """

    name = "deepspeed"
    # Adafactor would see flat pieces of parameters and have no rows and columns to factor: another optimizer.
    optimizers: Collection[str] = ("adamw", "adamw_fused", "adamw_8bit")
    options_schema = {
        "properties": {
            "stage": {"enum": [0, 1, 2, 3], "default": 3, "description": "what is spread: see the class"},
            "config": {
                "type": ["string", "null"],
                "format": "path",
                "default": None,
                "description": "a DeepSpeed JSON file, in place of the other options; what `train` says is `auto` "
                "there, or left out",
            },
            "overlap_comm": _option("boolean", "reduce gradients while others are computed"),
            "contiguous_gradients": _option("boolean", "copy gradients into one buffer as they come"),
            "reduce_bucket_size": _option("integer", "elements reduced at once"),
            "allgather_bucket_size": _option("integer", "elements gathered at once; stages 1 and 2"),
            "stage3_prefetch_bucket_size": _option("integer", "elements fetched ahead; stage 3"),
            "stage3_param_persistence_threshold": _option("integer", "smaller parameters stay whole; stage 3"),
            "stage3_max_live_parameters": _option("integer", "elements that may be whole at once; stage 3"),
            "sub_group_size": _option("integer", "elements that the optimizer works on at once; stage 3"),
            "offload_optimizer": _offload(
                "keep optimizer states in host memory or on a drive; DeepSpeed compiles what that takes in the phase "
                "build of a machine's first case, with a C++ compiler and ninja: on GPUs its AdamW, for a drive what "
                "reads and writes it, with libaio's headers (libaio-dev)"
            ),
            "offload_param": _offload("keep parameters in host memory (stage 3)"),
        }
    }

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(options)
        self._file = deepspeed_file.read(options) if options["config"] else None
        given = (name for name, stages in STAGES.items() if options[name] is not None and self.stage not in stages)
        if idle := next(given, None):
            stages = " or ".join(map(str, STAGES[idle]))
            raise PluginError(
                f"backend 'deepspeed' does not use {idle} at stage {self.stage}: leave it out, or choose stage {stages}"
            )
        self._check_drives()
        if self._place_of("offload_optimizer") != "none":
            # On a GPU, DeepSpeed takes its own AdamW in the place of any other.
            self.optimizers = ("adamw",)

    def _check_drives(self) -> None:
        if self._place_of("offload_param") == "nvme":
            # In bf16, DeepSpeed 0.19 reads the files of the float32 model as bfloat16; in float32, it keeps up to a
            # billion elements in host memory, whatever the device.
            raise PluginError("backend 'deepspeed' keeps parameters in host memory only: offload_param: {device: cpu}")
        if self._place_of("offload_optimizer") == "nvme" and self.stage != 3:
            raise PluginError(
                f"backend 'deepspeed' keeps optimizer states on a drive at stage 3 only, not at stage {self.stage}: "
                "choose stage 3, or offload_optimizer: {device: cpu}"
            )

    def _place_of(self, name: str) -> str:
        """Where something is kept: `cpu`, `nvme`, or `none`, which is the accelerator; files may say so too."""
        return str((self._zero().get(name) or {}).get("device", "none"))

    def missing(self, online: bool) -> Sequence[str]:
        from benchspec.machine import accelerators
        from benchspec.machine.compiling import REMEDIES, absent_tools

        if find_spec("deepspeed") is None:
            return [f"the backend 'deepspeed' needs DeepSpeed: {install('deepspeed')}"]
        place = self._place_of("offload_optimizer")
        compiles = place == "nvme" or (place == "cpu" and accelerators())
        return [
            f"offload_optimizer: DeepSpeed compiles what it needs, and {it} is not found: {REMEDIES[it]}"
            for it in (absent_tools() if compiles else ())
        ]

    @property
    def stage(self) -> int:
        return int(self._zero().get("stage", 0) if self._file is not None else self.options["stage"])

    def arguments(self) -> dict[str, Any]:
        deepspeed_setup.set_up()
        return {"deepspeed": self._config("auto", "auto", "auto", "auto")}

    def _config(self, micro_batch: Any, accumulation: Any, max_grad_norm: Any, bf16: Any) -> dict[str, Any]:
        """DeepSpeed's configuration, in which Trainer fills in what is "auto"."""
        import torch

        if self._file is not None:
            ours = {
                "train_micro_batch_size_per_gpu": micro_batch,
                "gradient_accumulation_steps": accumulation,
                "gradient_clipping": max_grad_norm,
            }
            return {
                "zero_force_ds_cpu_optimizer": torch.cuda.is_available(),
                **self._file,
                **ours,
                "bf16": {**self._file.get("bf16", {}), "enabled": bf16},
                "zero_optimization": self._zero(),
            }
        return {
            "train_micro_batch_size_per_gpu": micro_batch,
            "gradient_accumulation_steps": accumulation,
            "gradient_clipping": max_grad_norm,
            "bf16": {"enabled": bf16},
            "zero_optimization": self._zero(),
            # DeepSpeed's own optimizer for offloaded states is compiled at first use; on a CPU torch's is as good.
            "zero_force_ds_cpu_optimizer": torch.cuda.is_available(),
        }

    def _zero(self) -> dict[str, Any]:
        if self._file is not None:
            given = dict(self._file.get("zero_optimization", {}))
            return given | ({"stage3_gather_16bit_weights_on_model_save": True} if given.get("stage") == 3 else {})
        given = {name: value for name, value in self.options.items() if value is not None}
        return given | ({"stage3_gather_16bit_weights_on_model_save": True} if self.stage == 3 else {})

    def building(self) -> AbstractContextManager[Any]:
        place = self._place_of("offload_optimizer")
        if place != "none":
            from benchspec_plugins.backends.deepspeed_compile import compile_optimizer

            compile_optimizer(on_drive=place == "nvme")
        if self.stage == 3:
            return deepspeed_setup.splitting(self._zero())
        # If the optimizer is offloaded, the accelerator may have no room for the model in float32 either.
        return on_own_accelerator() if place == "none" else nullcontext()

    def trainer(self, cls: type) -> type:
        backend = self

        class Starting(cls):  # type: ignore[misc]
            """Trainer whose optimizer starts from float32 weights in bf16 training."""

            _parts: deepspeed_masters.Parts | None = None

            def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
                # Trainer calls this twice; then the model is bfloat16 already.
                if self.args.bf16 and self._parts is None:
                    self._parts = backend._before(self.model)
                return super().create_optimizer(*args, **kwargs)

            def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
                prepared = super()._prepare_for_training(*args, **kwargs)
                deepspeed_setup.keep_norms(self.deepspeed)
                if self._parts is not None:
                    deepspeed_masters.restore(self.model, self._parts)
                    self._parts = None
                return prepared

            def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
                if backend.stage == 3 and not self.model.config.name_or_path:
                    # Of peft's models, Trainer gathers only what is trained: too little if there is no other base.
                    self._save(output_dir, state_dict=self.deepspeed._zero3_consolidated_16bit_state_dict())
                else:
                    super().save_model(output_dir, _internal_call)

        return Starting

    def _before(self, model: Any) -> deepspeed_masters.Parts:
        """What `restore` needs once DeepSpeed has made a model bfloat16; it expects shards to be so already."""
        # From a drive, DeepSpeed would read and write a billion elements for each parameter that is set.
        parts = {} if self._place_of("offload_optimizer") == "nvme" else deepspeed_masters.keep(model)
        if self.stage == 3:
            deepspeed_setup.to_bfloat16(model)
        return parts

    def spread(self, model: Any, optimizer: Callable[[Any], Any], train: Mapping[str, Any]) -> Engine:
        deepspeed_setup.set_up()
        import deepspeed

        deepspeed.init_distributed(timeout=PATIENCE)
        bf16 = train["precision"] == "bf16"
        parts = self._before(model) if bf16 else None
        # A recipe says itself which micro-batch is a step's last one. With an accumulation of 1, DeepSpeed's earlier
        # versions would keep no offloaded gradient of the others.
        config = self._config(train["batch_size"], max(2, train["gradient_accumulation"]), train["max_grad_norm"], bf16)
        # As accelerate has it for Trainer; never prints a progress line.
        config |= {"zero_allow_untested_optimizer": True, "steps_per_print": float("inf")}
        chosen = self._offloaded(optimizer(model))
        engine, *_ = deepspeed.initialize(model=model, optimizer=chosen, config=config, dist_init_required=False)
        deepspeed_setup.keep_norms(engine)
        if parts is not None:
            deepspeed_masters.restore(model, parts)
        return ZeroEngine(engine, chosen, train)

    def _offloaded(self, optimizer: Any) -> Any:
        """The optimizer; if a GPU's states are offloaded, DeepSpeed's own optimizer for that, with the same groups."""
        import torch
        from accelerate.utils import map_pytorch_optim_to_deepspeed  # type: ignore[import-untyped]

        on_host = self._place_of("offload_optimizer") != "none" and torch.cuda.is_available()
        return map_pytorch_optim_to_deepspeed(optimizer) if on_host else optimizer

    def local(self, parameter: Any) -> Any:
        return getattr(parameter, "ds_tensor", parameter)

    def numel(self, parameter: Any) -> int:
        return int(getattr(parameter, "ds_numel", parameter.numel()))

    def prove(self, model: Any) -> dict[str, Any]:
        import torch.distributed as dist
        from deepspeed import DeepSpeedEngine

        if not isinstance(model, DeepSpeedEngine):
            raise RuntimeError(f"the model is a {type(model).__name__}, not a DeepSpeedEngine")
        if (stage := model.zero_optimization_stage()) != self.stage:
            raise RuntimeError(f"DeepSpeed runs ZeRO stage {stage}, not {self.stage}")
        world = dist.get_world_size()
        if stage == 0:
            if differing := differing_parameters(model.module):
                raise RuntimeError(f"parameters differ between ranks, the first of {len(differing)} is {differing[0]}")
            total = sum(parameter.numel() for parameter in model.module.parameters())
            return {"sharding": "none", "world": world, "local_parameters": total, "total_parameters": total}
        local, total, pieces = _states(model) if self.stage < 3 else _partitions(model)
        # Every piece is padded, by less than two elements a rank.
        if not 0 <= local * world - total < 2 * world * pieces:
            raise RuntimeError(f"this rank holds {local} of {total} elements, with {world} ranks")
        return {"sharding": f"zero-{stage}", "world": world, "local_parameters": local, "total_parameters": total}


class ZeroEngine(Engine):
    """DeepSpeed's engine, and the optimizer inside it."""

    @contextmanager
    def computing(self, last: bool) -> Iterator[None]:
        # The precision is DeepSpeed's own. Gradients of stages 2 and 3 cross after each micro-batch, those of 1 in the
        # last one.
        self.module.set_gradient_accumulation_boundary(last)
        yield

    def backward(self, loss: Any) -> None:
        self.module.backward(loss, scale_wrt_gas=False)

    def step(self) -> float:
        self.module.step()
        return float(self.module.get_global_grad_norm())

    def _network(self) -> Any:
        return self.module.module

    def _weights(self) -> Any:
        # Despite its name, this gathers any type: float32 in fp32 training.
        return (
            self.module._zero3_consolidated_16bit_state_dict() if self.module.zero_optimization_stage() == 3 else None
        )


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


@hookimpl
def benchspec_register() -> list[type[Backend]]:
    return [DeepSpeed]
