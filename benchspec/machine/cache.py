"""Where this host keeps what is costly to make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$BENCHSPEC_CACHE`, or `benchspec` in the user's cache folder."""
    own = os.environ.get("BENCHSPEC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchspec"
