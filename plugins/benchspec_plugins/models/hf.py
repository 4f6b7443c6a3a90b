"""Any causal model on the hub or in a folder, and the models of today by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchspec import PluginError, Shape, hookimpl
from benchspec.machine.hub import cached_file
from benchspec_plugins.models.architectures import shape_of
from benchspec_plugins.models.bloom import Bloom
from benchspec_plugins.models.causal import SOURCE_OPTIONS, Causal, Shaped, read_config
from benchspec_plugins.models.gpt_j import GPTJ
from benchspec_plugins.models.modern import PRESETS
from benchspec_plugins.models.opt import OPT

#: `model_type` -> the models that count their parameters themselves
FAMILIES: Mapping[str, type[Shaped]] = {family.model_type: family for family in (OPT, GPTJ, Bloom)}


class HF(Causal):
    """Any causal model on the hub or in a folder whose architecture `transformers` supports.

    Its size is read from config.json, in the folder or in the hub's local cache, for the architectures whose
    parameters benchspec counts (docs/models.md lists them); others have no size in `plan` and no MFU. With `config`, a
    network with random weights needs no config.json.
    """

    name = "hf"
    instead = "{name: hf, path: NAME}"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "path": {"type": "string", "format": "path-or-hub", "description": "a folder or a hub name"},
            "config": {
                "type": ["object", "null"],
                "properties": {
                    "model_type": {"type": "string", "description": "the architecture, as transformers calls it"}
                },
                "required": ["model_type"],
                "default": None,
                "description": "the fields of a config.json, `model_type` among them, in place of the one in `path`",
            },
        },
        "required": ["path"],
    }
    presets = PRESETS

    def shape(self) -> Shape | None:
        config = self.options["config"] or self._config_of_path()
        if config is None:
            return None
        family = FAMILIES.get(str(config.get("model_type")))
        return shape_of(config) if family is None else _shape_of_family(family, config)

    def config(self) -> Any:
        if self.options["config"] is None or self._is_pretrained():
            return super().config()
        from transformers import AutoConfig

        fields = dict(self.options["config"])
        try:
            return AutoConfig.for_model(fields.pop("model_type"), **fields)
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"the model '{self.name}' has a `config` that transformers does not accept: {error}"
            ) from error

    def build(self) -> Any:
        network = super().build()
        # The block classes are known only once the network is built.
        present = {type(module).__name__ for module in network.modules()}
        self.blocks = tuple(sorted(present & set(network._no_split_modules or ())))
        return network

    def _config_of_path(self) -> dict[str, Any] | None:
        path = self.options["path"]
        # `Path.is_dir` raises an error for a name that is too long.
        local = os.path.isdir(path)  # noqa: PTH112
        file = Path(path) / "config.json" if local else cached_file(path, "config.json")
        return read_config(file) if file and file.is_file() else None


def _shape_of_family(family: type[Shaped], config: Mapping[str, Any]) -> Shape | None:
    """As the family's own model counts it; None if it does not count such a configuration."""
    nothing_given = dict.fromkeys(family.options_schema["properties"])
    model = family(nothing_given)
    try:
        sizes = model.sizes_in(config)
        return None if sizes is None else model.count(sizes)
    except (PluginError, TypeError, ValueError, ZeroDivisionError):
        return None


@hookimpl
def benchspec_register() -> list[type[HF]]:
    return [HF]
