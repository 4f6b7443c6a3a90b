"""DeepSpeed's import and settings, and ZeRO-3 while a model is built."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchspec import PluginError
from benchspec_plugins.backends.devices import PATIENCE

#: seconds after which nobody compiles in a folder in which no file has changed; a compiler writes its own at its end
LEFT = 900


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


def compile_optimizer(on_drive: bool) -> None:
    """Have what DeepSpeed needs for offloaded states compiled before anything is measured.

    That is its optimizer, where there are GPUs, and what reads and writes states `on_drive`, which needs libaio.
    Compiling takes minutes on a machine's first time; the outcome is then read from torch's cache of extensions, and
    ranks wait for the one that compiles. Raises `PluginError` with the compiler's first error.
    """
    import torch

    builders = [
        *(["CPUAdamBuilder"] if torch.cuda.is_available() else []),
        *(["AsyncIOBuilder"] if on_drive else []),
    ]
    if not builders:
        return
    set_up()
    import deepspeed

    try:
        for name in builders:
            builder = deepspeed.get_accelerator().create_op_builder(name)
            _await_left_lock(builder.name)
            builder.load(verbose=False)
    except Exception as error:
        raise PluginError(f"DeepSpeed cannot compile what offload_optimizer needs: {_cause(error)}") from error


def _await_left_lock(name: str) -> None:
    """Remove the lock of a process that was killed while it compiled an extension; torch would wait for it for ever."""
    from torch.utils import cpp_extension

    # Open files are known by their real paths.
    lock = Path(cpp_extension._get_build_directory(name, verbose=False)).resolve() / "lock"
    # torch keeps the file open for as long as it compiles; what another host does shows in the folder only.
    while lock.exists() and not any(_has_open(process, lock) for process in psutil.process_iter()):
        idle = time.time() - max((_changed(file) for file in lock.parent.iterdir()), default=0.0)
        if idle > LEFT:
            print(f"{lock}: left by a process that was killed; removed", file=sys.stderr)  # noqa: T201
            lock.unlink(missing_ok=True)
        time.sleep(1)


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _has_open(process: psutil.Process, file: Path) -> bool:
    try:
        return any(Path(each.path) == file for each in process.open_files())
    except psutil.Error:
        return False


def _cause(error: Exception) -> str:
    """The first line of an exception about a compilation that names an error, else its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if "error:" in line.casefold()), lines[0])
