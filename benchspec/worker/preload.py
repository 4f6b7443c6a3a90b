"""What a rank imports before its first step; a launcher that forks ranks runs this module before it does.

Nothing else is done: whatever a process does besides, it does for all that are forked from it.
"""

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]  # noqa: F401
from accelerate.utils import extract_model_from_parallel  # type: ignore[import-untyped]
from transformers import AutoTokenizer, Trainer  # noqa: F401

from benchspec.worker import phases  # noqa: F401
from benchspec.worker.data import answers, encode, prepare  # noqa: F401

# With the first model that it meets, accelerate imports the libraries that may have wrapped it: seconds.
extract_model_from_parallel(torch.nn.Identity())
