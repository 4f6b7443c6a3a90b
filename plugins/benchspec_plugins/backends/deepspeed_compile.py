"""What DeepSpeed needs for offloaded states, compiled before anything is measured."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

from benchspec import PluginError
from benchspec_plugins.backends.deepspeed_setup import set_up

#: seconds after which nobody compiles in a folder in which no file has changed; a compiler writes its own at its end
LEFT = 900


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
