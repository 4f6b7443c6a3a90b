"""Loading from a folder or the hub, and what to say where that which is wanted is not to be had."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchspec import PluginError


def load(from_pretrained: Callable[..., Any], name: str, what: str, ways_out: str, **more: Any) -> Any:
    """What `from_pretrained` makes of `name`, a folder or a hub name; nothing but the hub is asked over the network.

    Raises `PluginError`, one line that names `ways_out`, where it is not to be had.
    """
    from safetensors import SafetensorError

    local = Path(name).is_dir()
    offline = not local and not hub_answers()
    # transformers would otherwise ask a web service to convert a checkpoint that is not in safetensors. It need not be:
    # torch reads the older format with `weights_only`, which makes tensors and refuses to run what a pickle may hold.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        # Without a word about remote code, transformers would stop and ask whoever sits at the terminal.
        return from_pretrained(name, local_files_only=local or offline, trust_remote_code=False, **more)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        missing = offline and isinstance(error, OSError)
        reason = _not_here(name) if missing else _in_a_line(error)
        download = f", or download it where there is a network: `hf download {name}`" if missing else ""
        raise PluginError(f"no {what} to be had from '{name}': {reason}; give {ways_out}{download}") from error


def hub_answers() -> bool:
    """Whether the hub can be reached: asked once, where its client would ask six times over 23 s for every file."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import httpx

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (httpx.HTTPError, OSError):
        return False
    return True


def _not_here(name: str) -> str:
    from huggingface_hub import constants
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return "there is no such folder"
    return f"it is no folder, not in the hub's cache here, and {constants.ENDPOINT} cannot be reached"


def _in_a_line(error: Exception) -> str:
    """The start of what a library says; custom code is the one thing that it advises and benchspec does not do."""
    if "trust_remote_code" in str(error):
        return "it brings code of its own, which benchspec does not run"
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
