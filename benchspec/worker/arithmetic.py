"""What a network really computes in: the type of its matrix products, seen in the first micro-batch of training.

A precision is asked for in one place (autocast, FSDP2's mixed precision, DeepSpeed's engine) and takes effect in
another. So the result of a matrix product in the first block is looked at, which shows the arithmetic of every backend.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

#: what each `train.precision` computes in
DTYPES = {"bf16": "bfloat16", "fp32": "float32"}


class Watch:
    """Watches a network until its first block has multiplied by one of its matrices.

    The hooks are then removed, so that later micro-batches cost nothing. Those of compiled code stay: they have run
    when it was compiled and left nothing in it.
    """

    def __init__(self, network: Any):
        import torch

        # Run once, while compiling. An assignment in compiled code would end or break up the compilation of a
        # checkpointed block, which may have no side effects.
        torch.compiler.assume_constant_result(Watch._note)  # type: ignore[no-untyped-call]
        self._seen: Any = None
        #: torch's setting for float32 products at that moment
        self._setting: str | None = None
        self._handles = [module.register_forward_hook(self._see) for module in _linear(_first_block(network))]

    @property
    def dtype(self) -> str | None:
        """The type of the product, such as `bfloat16`; None if none was seen."""
        return None if self._seen is None else str(self._seen).removeprefix("torch.")

    def tf32(self, device: torch.device) -> bool:
        """Whether float32 products were computed in TF32 at that moment; if none was seen, whether they are now."""
        return uses_tf32(device, self._setting or _setting())

    def _see(self, module: Any, arguments: Any, output: Any) -> None:
        import torch

        self._note(getattr(output, "dtype", None))
        if not torch.compiler.is_compiling():
            self._remove()

    def _note(self, dtype: Any) -> None:
        self._seen, self._setting = dtype, _setting()

    def stop_if_idle(self) -> None:
        """Stop watching if nothing was seen: no matrix of the first block is multiplied by a module."""
        if self._seen is None:
            self._remove()

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()


def _first_block(network: Any) -> Any:
    """The first of the blocks that backends shard by; the whole network if it names none."""
    names = set(getattr(network, "_no_split_modules", None) or ())
    return next((module for module in network.modules() if names & _class_names(module)), network)


def _linear(block: Any) -> Iterator[Any]:
    """The modules that multiply by a matrix: torch's, transformers' and those that others name alike."""
    for module in block.modules():
        if any("Linear" in name or name == "Conv1D" for name in _class_names(module)):
            yield module


def _class_names(module: Any) -> set[str]:
    """The names of its class and of those it is made from; FSDP2 makes a class of its own of each."""
    return {cls.__name__ for cls in type(module).__mro__}


def _setting() -> str:
    """Torch's setting for float32 matrix products: `tf32`, or `ieee` or `none` for float32 itself."""
    import torch

    return str(torch.backends.cuda.matmul.fp32_precision)


def uses_tf32(device: torch.device, setting: str) -> bool:
    """Whether float32 matrix products on a device are computed in TF32 with torch's setting."""
    import torch

    if device.type != "cuda":
        return False
    capability = torch.cuda.get_device_properties(device).major
    return tf32_in_effect(capability, torch.version.hip, setting, os.environ.get("NVIDIA_TF32_OVERRIDE"))


def tf32_in_effect(capability: int, hip: str | None, setting: str, override: str | None) -> bool:
    """Whether a GPU of a compute capability uses TF32 with torch's setting: NVIDIA's do from Ampere (8) on.

    `override` is NVIDIA_TF32_OVERRIDE, with which a user forbids TF32 to all of NVIDIA's libraries, by 0.
    """
    return hip is None and capability >= 8 and setting == "tf32" and override != "0"


def check(dtype: str, precision: str) -> None:
    """Raise `RuntimeError` unless the type of a product is that of `train.precision`."""
    if dtype != DTYPES[precision]:
        raise RuntimeError(f"the first block computes in {dtype}, not in {DTYPES[precision]} (train.precision)")
