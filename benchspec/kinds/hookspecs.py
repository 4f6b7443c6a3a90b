"""The only hook that a plugin module implements."""

from __future__ import annotations

import pluggy

from benchspec.kinds.bases import Plugin

hookspec = pluggy.HookspecMarker("benchspec")
hookimpl = pluggy.HookimplMarker("benchspec")


@hookspec
def benchspec_register() -> list[type[Plugin]]:  # type: ignore[empty-body]
    """Return the plugin classes that this module adds."""
