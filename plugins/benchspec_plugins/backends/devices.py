"""Where a model is built that every process has a whole copy of."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def on_own_accelerator() -> AbstractContextManager[Any]:
    """A context that builds on this process's accelerator: the host would else hold a copy for each of them."""
    import torch

    if not torch.cuda.is_available():
        return nullcontext()
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
