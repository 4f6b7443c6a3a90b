"""Loading from a folder or the hub, and what to say where that which is wanted is not to be had."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchspec import PluginError


def load(from_pretrained: Callable[..., Any], name: str, what: str, ways_out: str, **more: Any) -> Any:
    """What `from_pretrained` makes of `name`, a folder or a hub name; nothing but the hub is asked over the network.

    Raises `PluginError`, one line that names `ways_out`, where it is not to be had.
    """
    from huggingface_hub.errors import HFValidationError
    from safetensors import SafetensorError

    local = Path(name).is_dir()
    offline = not local and not hub_answers()
    # transformers would otherwise ask a web service to convert a checkpoint that is not in safetensors. It need not be:
    # torch reads the older format with `weights_only`, which makes tensors and refuses to run what a pickle may hold.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        # Without a word about remote code, transformers would stop and ask whoever sits at the terminal.
        return from_pretrained(name, local_files_only=local or offline, trust_remote_code=False, **more)
    except (OSError, ValueError, ImportError, SafetensorError, pickle.UnpicklingError) as error:
        failed = f"no {what} to be had from '{name}'"
        if isinstance(error.__cause__, HFValidationError):
            raise PluginError(f"{failed}: there is no such folder; give {ways_out}") from error
        if offline and isinstance(error, OSError):
            raise PluginError(
                f"{failed}: it is no folder, not in the hub's cache here, and the hub cannot be reached; "
                f"give {ways_out}, or download it where there is a network: `hf download {name}`"
            ) from error
        raise PluginError(f"{failed}: {in_a_line(error)}; give {ways_out}") from error


def hub_answers() -> bool:
    """Whether the hub can be reached: asked once, where its client would ask six times over 23 s for every file."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception:  # of whichever HTTP library this release of the hub's client uses
        return False
    return True


def in_a_line(error: Exception) -> str:
    """The start of what a library says; remote code is the one thing that it advises and benchspec does not do."""
    if "trust_remote_code" in str(error):
        return "it brings code of its own, which benchspec does not run"
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
