"""Loads checkpoints and tokenizers from a folder or the hub; its errors say what to do instead."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchspec import PluginError
from benchspec.machine.hub import hub_reachable
from benchspec.terms.harmless import clipped


def load(from_pretrained: Callable[..., Any], name: str, what: str, alternatives: str, **more: Any) -> Any:
    """What `from_pretrained` returns for `name`, a folder or a hub name; no network service but the hub is contacted.

    Raises `PluginError`, one line that names the `alternatives`, if `what` cannot be loaded.
    """
    from huggingface_hub.errors import HFValidationError
    from safetensors import SafetensorError

    local = Path(name).is_dir()
    offline = not local and not hub_reachable()
    # transformers would otherwise ask a web service to convert a checkpoint that is not in safetensors. That is not
    # needed: torch reads the older format with `weights_only`, which loads tensors and refuses to run pickled code.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        # Without `trust_remote_code`, transformers may stop and ask at the terminal.
        return from_pretrained(name, local_files_only=local or offline, trust_remote_code=False, **more)
    except (OSError, ValueError, ImportError, SafetensorError, pickle.UnpicklingError) as error:
        failed = f"cannot load the {what} from '{name}'"
        if isinstance(error.__cause__, HFValidationError):
            raise PluginError(f"{failed}: there is no such folder; give {alternatives}") from error
        if offline and isinstance(error, OSError):
            raise PluginError(
                f"{failed}: it is not a folder, not in the local cache of the hub, and the hub cannot be reached; "
                f"give {alternatives}, or download it where there is a network: `hf download {name}`"
            ) from error
        raise PluginError(f"{failed}: {summary(error)}; give {alternatives}") from error


def summary(error: Exception) -> str:
    """The beginning of a library's message on one line; its advice to allow remote code is replaced."""
    if "trust_remote_code" in str(error):
        return "it contains code of its own, which benchspec does not run"
    return clipped(" ".join(str(error).split()), 300)
