"""Any causal model on the hub or in a folder."""

from __future__ import annotations

from typing import Any

from benchspec import hookimpl
from benchspec_plugins.models.causal import SOURCE_OPTIONS, Causal


class HF(Causal):
    """Any causal model on the hub or in a folder whose architecture `transformers` supports."""

    name = "hf"
    instead = "{name: hf, path: NAME}"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "path": {"type": "string", "format": "path-or-hub", "description": "a folder or a hub name"},
        },
        "required": ["path"],
    }

    def build(self) -> Any:
        network = super().build()
        # The block classes are known only once the network is built.
        present = {type(module).__name__ for module in network.modules()}
        self.blocks = tuple(sorted(present & set(network._no_split_modules or ())))
        return network


@hookimpl
def benchspec_register() -> list[type[HF]]:
    return [HF]
