"""Bottleneck adapters: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP" (Figure 2 there)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchspec import BenchspecError, Method, PluginError, Shape, Share, hookimpl
from benchspec.kinds.checkpoints import cast, load_whole
from benchspec_plugins.methods.base import find_base, keep_base
from benchspec_plugins.methods.parts import attention_inputs, attention_output, find_blocks

#: files of a checkpoint
CONFIG, WEIGHTS = "adapter.json", "adapter.safetensors"
#: what the families of `transformers` call the last layer of attention and of the feed-forward network
LAST_LAYERS = ("out_proj", "o_proj", "dense", "c_proj", "fc2", "fc_out", "dense_4h_to_h", "down_proj")


class Adapter(Method):
    """Two small networks in every block are trained, after attention and after the feed-forward network.

    Each takes what comes down to `size` values and up again, and adds it. Their parameters are saved, with the name of
    the model that they belong to; `benchspec_plugins.methods.adapter.load` puts them together. A model with random
    weights is saved beside them, in `base`. Unlike in the paper, norms stay as they are.
    """

    name = "adapter"
    options_schema = {
        "properties": {
            "size": {"type": "integer", "minimum": 1, "default": 64, "description": "width of the bottleneck"}
        }
    }

    def apply(self, model: Any) -> Any:
        model.requires_grad_(False)
        insert(model, self.options["size"])
        model.save_pretrained = partial(save, model, self.options["size"])
        return model

    def load(self, folder: str, dtype: Any) -> Any:
        return load(folder, dtype=dtype)

    def share(self, shape: Shape) -> Share | None:
        if shape.block_parameters is None:
            return None
        size = self.options["size"]
        added = 2 * shape.layers * (2 * size * shape.hidden + size + shape.hidden)
        # The first adapter stands behind the first block's attention; if attention and feed-forward network work side
        # by side, behind the block.
        before = shape.block_parameters if shape.parallel else attention_inputs(shape) + attention_output(shape)
        return Share(added, shape.multiplied - before + added, shape.layers - 1, added)


def insert(model: Any, size: int) -> None:
    """Put an adapter behind attention and feed-forward network of every block; raises `PluginError` if that fails."""
    from benchspec_plugins.methods.bottleneck import Adapted

    width = model.config.get_text_config().hidden_size
    for block in find_blocks(model)[0]:
        places = list(_places(block))
        if len(places) != 2:
            raise PluginError(
                f"the method 'adapter' looks for two layers in each {type(block).__name__}, after attention and after "
                f"the feed-forward network, and finds {len(places)}: {', '.join(name for _, name in places) or 'none'}"
            )
        for parent, name in places:
            setattr(parent, name, Adapted(getattr(parent, name), width, size))


def _places(block: Any) -> Iterator[tuple[Any, str]]:
    """(module, name of its child) of the last layers of attention and feed-forward network."""
    for parent in block.modules():
        for name, child in parent.named_children():
            if name in LAST_LAYERS and getattr(child, "weight", None) is not None:
                yield parent, name


def _is_added(name: str) -> bool:
    return name.rpartition(".")[0].endswith((".down", ".up"))


def save(
    model: Any, size: int, folder: str, state_dict: Mapping[str, Any] | None = None, is_main_process: bool = True
) -> None:
    """Write the adapters and what they belong to; takes the arguments of `save_pretrained` that Trainer gives."""
    from safetensors.torch import save_file

    if not is_main_process:
        return
    state = model.state_dict() if state_dict is None else state_dict
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    base = keep_base(model, folder, state, _is_added)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.items() if _is_added(name)},
        target / WEIGHTS,
        metadata={"format": "pt"},
    )
    (target / CONFIG).write_text(json.dumps({"method": "adapter", "size": size, "base": base}, indent=2) + "\n")


def load(folder: str, base: str | None = None, dtype: Any = "float32") -> Any:
    """The model with its adapters, in evaluation mode, from a folder that this method has saved.

    `base` is the folder or the hub name of the model that they belong to; by default the one that was trained. `dtype`
    is the type of the parameters, torch's or its name. Raises `BenchspecError` if the folder is not complete.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(Path(folder) / WEIGHTS)
        named, size = str(config["base"]), int(config["size"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BenchspecError(f"{folder} is no checkpoint of the method 'adapter': {error}") from error
    named = base or find_base(folder, named)
    model = load_whole(named, dtype)
    insert(model, size)
    wanted = {name for name in model.state_dict() if _is_added(name)}
    if wanted != set(weights):
        other = sorted(wanted ^ set(weights))[0]
        raise BenchspecError(f"{folder} does not have the adapters of {named}: {other} is in one of them only")
    model.load_state_dict(weights, strict=False)
    # The adapters were inserted as float32.
    return cast(model, model.dtype).eval()


@hookimpl
def benchspec_register() -> list[type[Adapter]]:
    return [Adapter]
