"""What only torch knows of this machine, asked in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def torch_facts() -> dict[str, Any]:
    """Torch's CUDA, ROCm, cuDNN and NCCL versions and the GPUs that it can use, in its own order; or an `error`.

    It runs in a separate process: importing torch takes seconds, and CUDA does not work in forks of a process that has
    initialised it.
    """
    try:
        done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=120)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return {"error": "no answer within 120 s"}
    except (IndexError, ValueError):
        return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}


# `device_count` alone asks NVML, which also counts GPUs that the driver is too old for; `is_available` asks CUDA.
_PROBE = """
import json, torch


def dotted(number):
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}" if number else None

def device(index):
    found = torch.cuda.get_device_properties(index)
    uuid = getattr(found, "uuid", None)
    return {"name": found.name, "uuid": uuid and f"GPU-{uuid}", "memory": found.total_memory}

built = torch.version.cuda
has_nccl = (built or torch.version.hip) and torch.distributed.is_available() and torch.distributed.is_nccl_available()
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps({
    "cuda": built,
    "hip": torch.version.hip,
    "cudnn": dotted(torch.backends.cudnn.version()) if built else None,
    "nccl": ".".join(map(str, torch.cuda.nccl.version())) if has_nccl else None,
    "accelerators": count,
    "devices": [device(index) for index in range(count)],
}))
"""
