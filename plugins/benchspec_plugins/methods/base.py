"""The model that a saved adapter belongs to: named where it has a name, else saved beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: the folder, inside a checkpoint, of a model that has no name of its own because its weights are random
BASE = "base"
#: what a module that a method wraps is called inside the wrapper
WRAPPED = "base_layer."


def find_base(folder: str, named: str) -> str:
    """The folder or the name of the model that a checkpoint belongs to; one beside it counts, wherever it now lies."""
    beside = Path(folder) / BASE
    return str(beside) if beside.is_dir() else named


def keep_base(model: Any, folder: str, state: Mapping[str, Any], is_added: Any, prefix: str = "") -> str:
    """The name of the model's checkpoint, or of the folder that it is saved in here because it has none.

    `state` is the whole state dict, `is_added` tells which of its names are the method's own parameters, and `prefix`
    is what the method puts before the model's names.
    """
    if model.config.name_or_path:
        return str(model.config.name_or_path)
    own = {
        name.removeprefix(prefix).replace(WRAPPED, ""): tensor for name, tensor in state.items() if not is_added(name)
    }
    target = Path(folder).resolve() / BASE
    # The method replaces the model's own `save_pretrained`.
    type(model).save_pretrained(model, target, state_dict=own)
    return str(target)
