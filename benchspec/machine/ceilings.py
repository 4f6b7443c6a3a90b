"""What a device can do at most, measured: matrix products, memory, and links to the host and to other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from benchspec.terms.errors import BenchspecError, install

#: rows and columns of the products where there is no model, on an accelerator and on a CPU
LARGE, SMALL = 8192, 2048
#: seconds for which each is repeated
SECONDS = 0.3
#: bytes that are copied, and that each rank sends
COPIED, SENT = 128 * 2**20, 16 * 2**20
#: collectives that are timed; all ranks take part in as many
COLLECTIVES = 10


def measure(device: Any, tokens: int, hidden: int, ffn: int) -> dict[str, float | None]:
    """The ceilings of one device; None for what it does not have or has no room for.

    `fp32`, `tf32` and `bf16`: FLOP/s of the product of (tokens, hidden) and (hidden, ffn), the best of its repetitions.
    `memory_bandwidth`: bytes read and written per second while copying within its memory; `host_to_device`: bytes per
    second from pinned memory of the host.
    """
    import torch

    gpu = device.type == "cuda"
    tf32 = gpu and torch.cuda.get_device_capability(device)[0] >= 8 and torch.version.hip is None
    found = {
        "fp32": _products(device, torch.float32, tokens, hidden, ffn),
        "tf32": _products(device, torch.float32, tokens, hidden, ffn, tf32=True) if tf32 else None,
        "bf16": _products(device, torch.bfloat16, tokens, hidden, ffn),
        "memory_bandwidth": _best(device, 2 * COPIED, lambda: _copying(device, device)),
        "host_to_device": _best(device, COPIED, lambda: _copying("cpu", device)) if gpu else None,
    }
    if gpu:
        torch.cuda.empty_cache()
    return found


def of_this_machine() -> dict[str, float | None]:
    """The ceilings of torch's first accelerator, or of all of this process's cores; see `measure`.

    Raises `BenchspecError` without torch.
    """
    try:
        import torch
    except ImportError as error:
        raise BenchspecError(f"torch is not installed, which measures: {install('train')}") from error
    gpu = torch.cuda.is_available()
    size = LARGE if gpu else SMALL
    return measure(torch.device("cuda" if gpu else "cpu"), size, size, size)


def collectives(device: Any) -> dict[str, float | None]:
    """Bytes of each rank's tensor per second in `all_reduce` and `all_gather`; None where there is no process group.

    Every rank of the group calls this.
    """
    import torch

    group = torch.distributed
    if not group.is_initialized() or group.get_world_size() == 1:
        return {"all_reduce": None, "all_gather": None}
    sent = torch.ones(SENT // 4, device=device)
    gathered = torch.empty(SENT // 4 * group.get_world_size(), device=device)
    calls = {
        "all_reduce": lambda: group.all_reduce(sent),
        "all_gather": lambda: group.all_gather_into_tensor(gathered, sent),
    }
    return {name: SENT / min(_once(device, call) for _ in range(COLLECTIVES)) for name, call in calls.items()}


def _products(device: Any, dtype: Any, tokens: int, hidden: int, ffn: int, *, tf32: bool = False) -> float | None:
    import torch

    def multiplying() -> Callable[[], Any]:
        left, right = (torch.ones(size, device=device, dtype=dtype) for size in ((tokens, hidden), (hidden, ffn)))
        out = torch.empty((tokens, ffn), device=device, dtype=dtype)
        return lambda: torch.mm(left, right, out=out)

    with _precision("tf32" if tf32 else "ieee"):
        return _best(device, 2 * tokens * hidden * ffn, multiplying)


@contextmanager
def _precision(name: str) -> Any:
    """A context in which a GPU multiplies float32 in this precision, whatever it was before."""
    import torch

    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = name
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def _copying(source: Any, target: Any) -> Callable[[], Any]:
    import torch

    pinned = source == "cpu"
    here = torch.empty(COPIED, dtype=torch.uint8, device=source, pin_memory=pinned)
    there = torch.empty(COPIED, dtype=torch.uint8, device=target)
    return lambda: there.copy_(here, non_blocking=pinned)


def _best(device: Any, work: float, prepare: Callable[[], Callable[[], Any]]) -> float | None:
    """The most work per second over some repetitions; None if its tensors do not fit."""
    try:
        call = prepare()
        _once(device, call)
    except (RuntimeError, MemoryError):
        # Out of memory is a RuntimeError, on a CPU too; so is a product that a device does not know.
        return None
    end, best = time.perf_counter() + SECONDS, _once(device, call)
    while time.perf_counter() < end:
        best = min(best, _once(device, call))
    return work / best


def _once(device: Any, call: Callable[[], Any]) -> float:
    """Seconds that a call takes until the device has done it."""
    import torch

    def done() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    begun = done()
    call()
    return done() - begun
