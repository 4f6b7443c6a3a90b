"""What of the Hugging Face hub is on this machine, or can be had; found without its libraries as far as possible."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def lacking(name: str, parts: Mapping[str, Sequence[str]], online: bool, kind: str = "model") -> str | None:
    """Why parts of a repository, such as its weights, cannot be had here, or None if they can.

    `name` is its name on the hub, `parts` are patterns of files by part, of which one must be there, and `online` says
    whether the network may be used to find out.
    """
    absent = [part for part, files in parts.items() if not _is_cached(name, files, kind)]
    if not absent:
        return None
    lost = f"{' and '.join(absent)} of '{name}': not in the local cache of the hub"
    option = "" if kind == "model" else f"--repo-type {kind} "
    remedy = f"download it where there is a network: `hf download {option}{name}`"
    if is_offline(os.environ):
        return f"{lost}, and HF_HUB_OFFLINE forbids to download it; {remedy}"
    if online and not hub_reachable():
        return f"{lost}, and the hub cannot be reached; {remedy}"
    return None


def cached_file(name: str, file: str) -> Path | None:
    """A file of a model's repository in the local cache of the hub, in the version that was downloaded last."""
    folder = cache(os.environ) / f"models--{name.replace('/', '--')}"
    try:
        found = folder / "snapshots" / (folder / "refs" / "main").read_text().strip() / file
        return found if found.is_file() else None
    except OSError:
        return None


def _is_cached(name: str, files: Sequence[str], kind: str) -> bool:
    """Whether a snapshot of the repository has one of the files."""
    snapshots = cache(os.environ) / f"{kind}s--{name.replace('/', '--')}" / "snapshots"
    # `Path.is_dir` raises an error for a name that is too long.
    there = os.path.isdir(snapshots)  # noqa: PTH112
    return there and any(any(snapshots.glob(f"*/{pattern}")) for pattern in files)


def cache(environment: Mapping[str, str]) -> Path:
    """The folder where the hub's library keeps what it downloads, by the variables that this library documents."""
    home = environment.get("XDG_CACHE_HOME") or "~/.cache"
    hub = environment.get("HF_HUB_CACHE") or f"{environment.get('HF_HOME') or f'{home}/huggingface'}/hub"
    return Path(os.path.expandvars(hub)).expanduser()


def is_offline(environment: Mapping[str, str]) -> bool:
    """Whether the hub's library is told to download nothing."""
    values = (environment.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "ON", "YES", "TRUE") for value in values)


def hub_reachable() -> bool:
    """Whether the hub can be reached: a single request; the hub's client would try six times, over 23 s, per file."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception:  # its type depends on the HTTP library that this release of the hub's client uses
        return False
    return True
