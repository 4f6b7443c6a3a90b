"""Any causal model on the hub or in a folder."""

from __future__ import annotations

from typing import Any

from benchspec import Shape, hookimpl
from benchspec_plugins.models.causal import SOURCE_OPTIONS, Causal


class HF(Causal):
    """Any causal model on the hub or in a folder, as far as `transformers` itself knows its architecture."""

    name = "hf"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "path": {"type": "string", "format": "path-or-hub", "description": "a folder or a hub name"},
        },
        "required": ["path"],
    }

    def has_shape(self) -> bool:
        return False

    def shape(self) -> Shape | None:
        return None

    def build(self) -> Any:
        network = super().build()
        self.blocks = tuple(network._no_split_modules or ())
        return network


@hookimpl
def benchspec_register() -> list[type[HF]]:
    return [HF]
