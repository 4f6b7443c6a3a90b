"""DeepSpeed's import and settings, and ZeRO-3 while a model is built."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchspec_plugins.backends.devices import PATIENCE


@contextmanager
def splitting(zero: Mapping[str, Any]) -> Iterator[None]:
    """A context in which `transformers` shards each parameter when it is created."""
    set_up()
    import deepspeed
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    deepspeed.init_distributed(timeout=PATIENCE)
    # transformers shards as long as this object exists; Trainer creates its own afterwards.
    settings = {"train_micro_batch_size_per_gpu": 1, "zero_optimization": _unpinned(zero)}
    config = HfDeepSpeedConfig(settings)  # type: ignore[no-untyped-call]
    yield
    del config


def _unpinned(zero: Mapping[str, Any]) -> dict[str, Any]:
    """The same without pinned memory, which would stay allocated for the shards as they are built, in float32."""
    offload = zero.get("offload_param")
    return {**zero, "offload_param": {**offload, "pin_memory": False}} if offload else dict(zero)


def to_bfloat16(model: Any) -> None:
    """Convert shards that were built in float32 to bfloat16, which DeepSpeed expects in bf16 training.

    What a method has added to the model is not in shards yet.
    """
    import torch

    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
        if hasattr(parameter, "ds_tensor"):
            parameter.ds_tensor.data = parameter.ds_tensor.data.to(torch.bfloat16)


def set_up() -> None:
    """Import DeepSpeed so that it knows its device, compiles nothing on a CPU, and warns on stderr."""
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    from deepspeed.utils import logger

    if deepspeed.get_accelerator().device_name() == "cpu":
        # Use nothing that must be compiled; even asking what can be compiled runs the linker.
        deepspeed.ops.__compatible_ops__ = defaultdict(bool)
    for handler in logger.handlers:
        if getattr(handler, "stream", None) is sys.stdout:
            handler.setStream(sys.stderr)


def keep_norms(engine: Any) -> None:
    """Have an engine keep the gradient's norm in fp32 training at stage 0 too, where it clips and forgets it."""
    from deepspeed.runtime.utils import clip_grad_norm_

    def clip() -> None:
        parameters, most = engine.module.parameters(), engine.gradient_clipping()
        engine._global_grad_norm = float(clip_grad_norm_(parameters=parameters, max_norm=most, mpu=engine.mpu))

    engine.clip_fp32_gradients = clip
