"""What a device can do at most, measured: matrix products, memory, and links to the host and to other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from benchspec.terms.errors import BenchspecError, install

#: rows and columns of the products where there is no model, on an accelerator and on a CPU
LARGE, SMALL = 8192, 2048
#: seconds for which each is repeated, that calls which a device works off without a pause take together, and that a
#: single product takes at most: some CPUs multiply bfloat16 a hundred times slower than float32
SECONDS, TOGETHER, LONGEST = 0.3, 0.02, 0.5
#: bytes that are copied, that each rank sends, and that a rank receives of all at most
COPIED, SENT, RECEIVED = 256 * 2**20, 16 * 2**20, 512 * 2**20
#: tokens of the product that tells how long one of more would take
FEW = 16
#: collectives that are timed; all ranks take part in as many
COLLECTIVES = 10


def measure(device: Any, tokens: int, hidden: int, ffn: int) -> dict[str, float | None]:
    """The ceilings of one device; None for what it does not have or has no room for.

    `fp32`, `tf32` and `bf16`: FLOP/s of the product of (tokens, hidden) and (hidden, ffn), the best of its repetitions;
    of fewer tokens where that would take long.
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
    """Bytes of each rank's tensor per second in `all_reduce` and `all_gather`; None without a group, or room on a rank.

    Every rank of the group calls this.
    """
    import torch

    group = torch.distributed
    unknown: dict[str, float | None] = {"all_reduce": None, "all_gather": None}
    if not group.is_initialized() or group.get_world_size() == 1:
        return unknown
    size = min(SENT, RECEIVED // group.get_world_size()) // 4
    try:
        # Summed again and again, other numbers would overflow.
        sent, gathered = (torch.zeros(count, device=device) for count in (size, size * group.get_world_size()))
        room = 1
    except RuntimeError:
        room = 0
    # A rank without room would leave the others waiting.
    fits = torch.tensor(room, device=device)
    group.all_reduce(fits, group.ReduceOp.MIN)
    if not fits.item():
        return unknown
    calls = {
        "all_reduce": lambda: group.all_reduce(sent),
        "all_gather": lambda: group.all_gather_into_tensor(gathered, sent),
    }
    return {name: 4 * size / min(_time(device, call) for _ in range(COLLECTIVES)) for name, call in calls.items()}


def _products(device: Any, dtype: Any, tokens: int, hidden: int, ffn: int, *, tf32: bool = False) -> float | None:
    import torch

    def multiplying(rows: int) -> Callable[[], Any]:
        sizes = (rows, hidden), (hidden, ffn)
        # Numbers as real ones are: devices clock higher while they multiply ones.
        left, right = (torch.empty(size, device=device, dtype=dtype).uniform_(-1, 1) for size in sizes)
        out = torch.empty((rows, ffn), device=device, dtype=dtype)
        return lambda: torch.mm(left, right, out=out)

    with _precision("tf32" if tf32 else "ieee"):
        few = min(tokens, FEW)
        rate = _best(device, few, lambda: multiplying(few), seconds=0)
        rows = tokens if rate is None else max(few, min(tokens, int(LONGEST * rate)))
        return _best(device, 2 * rows * hidden * ffn, lambda: multiplying(rows))


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


def _best(
    device: Any, work: float, prepare: Callable[[], Callable[[], Any]], seconds: float | None = None
) -> float | None:
    """The most work per second over some repetitions; None if its tensors do not fit."""
    try:
        call = prepare()
        _time(device, call)
    except (RuntimeError, MemoryError):
        # Out of memory is a RuntimeError, on a CPU too; so is a product that a device does not know.
        return None
    end, best = time.perf_counter() + (SECONDS if seconds is None else seconds), _time(device, call)
    # What it takes to start a kernel and to wait for it is no part of its time.
    calls = max(1, int(TOGETHER / best)) if device.type == "cuda" else 1
    while time.perf_counter() < end:
        best = min(best, _time(device, call, calls))
    return work / best


def _time(device: Any, call: Callable[[], Any], calls: int = 1) -> float:
    """Seconds that one of so many calls takes, the device doing one after the other."""
    import torch

    def done() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    begun = done()
    for _ in range(calls):
        call()
    return (done() - begun) / calls
