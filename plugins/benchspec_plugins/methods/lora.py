"""Low-rank adaptation: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", through peft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchspec import BenchspecError, Method, PluginError, Shape, Share, hookimpl
from benchspec.kinds.checkpoints import cast, load_whole
from benchspec.terms.errors import install
from benchspec_plugins.methods.base import find_base, keep_base
from benchspec_plugins.methods.parts import attention_inputs, attention_output

#: how many of a model's linear layers a message names
MOST_NAMES = 12


class Lora(Method):
    """Small matrices beside some linear layers are trained; the model itself stays as it is.

    A layer's output gets `alpha` / `rank` times the product of the two matrices added; the second one starts at zero,
    so training starts at the model as it is. The matrices are saved, in peft's format, which
    `peft.PeftModel.from_pretrained` loads; a model with random weights is saved beside them, in `base`.
    """

    name = "lora"
    options_schema = {
        "properties": {
            "rank": {"type": "integer", "minimum": 1, "default": 8, "description": "width of the matrices"},
            "alpha": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 16,
                "description": "scale: what is added is multiplied by alpha / rank",
            },
            "dropout": {
                "type": ["number", "string"],
                "format": "share",
                "minimum": 0,
                "exclusiveMaximum": 1,
                "default": 0,
                "description": "dropout probability of the matrices' input",
            },
            "targets": {
                "type": ["array", "null"],
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "uniqueItems": True,
                "default": None,
                "description": "names of the linear layers, such as q_proj; by default those that peft chooses for the "
                "model's family (queries and values), or all linear layers of a family that it does not know",
            },
        }
    }
    #: parameters that `apply` has added
    _added: int | None = None

    def missing(self, online: bool) -> Sequence[str]:
        return [] if find_spec("peft") else [f"the method 'lora' needs peft: {install('methods')}"]

    def apply(self, model: Any) -> Any:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=self.options["rank"],
            lora_alpha=self.options["alpha"],
            lora_dropout=self.options["dropout"],
            target_modules=self._targets(model),
            task_type="CAUSAL_LM",
        )
        try:
            adapted: Any = get_peft_model(model, config)
        except ValueError as error:
            raise PluginError(f"the method 'lora' cannot adapt {type(model).__name__}: {error}") from error
        self._added = sum(map(self._matrices, adapted.modules()))
        adapted.save_pretrained = partial(save, adapted)
        return adapted

    def load(self, folder: str, dtype: Any) -> Any:
        from peft import PeftConfig, PeftModel, get_peft_model_state_dict
        from peft.utils import SAFETENSORS_WEIGHTS_NAME
        from safetensors.torch import load_file

        named = PeftConfig.from_pretrained(folder).base_model_name_or_path
        base = load_whole(find_base(folder, str(named)), dtype)
        adapted: Any = cast(PeftModel.from_pretrained(base, folder, autocast_adapter_dtype=False), dtype)
        # peft only warns of matrices that the folder lacks, and makes them up.
        wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
        if missing := sorted(wanted - set(load_file(Path(folder) / SAFETENSORS_WEIGHTS_NAME))):
            raise BenchspecError(f"{folder} lacks {len(missing)} of the method's matrices, such as {missing[0]}")
        return adapted

    def share(self, shape: Shape) -> Share | None:
        added, block, targets = self._expected(shape), shape.block_parameters, self.options["targets"]
        if added is None or block is None or (targets is not None and _INPUTS.isdisjoint(targets)):
            return None
        # Nothing that is trained lies before the first block's queries, keys and values, nor before its feed-forward
        # network if that works beside attention.
        before = block - attention_output(shape) if shape.parallel else attention_inputs(shape)
        return Share(added, shape.multiplied - before + added, shape.layers, added)

    def _expected(self, shape: Shape) -> int | None:
        """The parameters that are added; before `apply`, only those of queries and values are known."""
        if self._added is not None or self.options["targets"]:
            return self._added
        widths = (shape.query_width or shape.hidden) + (shape.key_value_width or shape.hidden)
        return int(self.options["rank"] * (2 * shape.hidden + widths) * shape.layers)

    def _matrices(self, module: Any) -> int:
        """The parameters added to a module, which a backend may have split up already."""
        if not hasattr(module, "lora_A"):
            return 0
        return int(self.options["rank"] * (module.in_features + module.out_features))

    def _targets(self, model: Any) -> list[str] | str:
        from peft.utils import constants

        known = constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        wanted = self.options["targets"]
        if wanted is None:
            return list(known.get(model.config.model_type, ())) or "all-linear"
        names = _linear_layers(model)
        if absent := [target for target in wanted if not any(_is(name, target) for name in names)]:
            last = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
            shown = f"{', '.join(last[:MOST_NAMES])}{', …' if len(last) > MOST_NAMES else ''}"
            raise PluginError(
                f"the method 'lora' finds no linear layer '{absent[0]}' in {type(model).__name__}, which has {shown}"
            )
        return list(wanted)


#: how families call the linear layers that a block's attention begins with
_INPUTS = {"q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn", "Wqkv"}


def _is(name: str, target: str) -> bool:
    """Whether a target means a module, as peft takes it."""
    return name == target or name.endswith(f".{target}")


def _linear_layers(model: Any) -> list[str]:
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return [name for name, module in model.named_modules() if isinstance(module, (Linear, Conv1D))]


def save(model: Any, folder: str, state_dict: Mapping[str, Any] | None = None, **more: Any) -> None:
    """`PeftModel.save_pretrained` that asks no hub, and keeps a base without a name."""
    from peft import PeftModel

    if more.get("is_main_process", True):
        state = model.state_dict() if state_dict is None else state_dict
        base = keep_base(model.get_base_model(), folder, state, lambda name: ".lora_" in name, "base_model.model.")
        model.active_peft_config.base_model_name_or_path = base
    # By default, peft compares the vocabulary with that of the base, on the hub if it is from there.
    PeftModel.save_pretrained(model, folder, state_dict=state_dict, save_embedding_layers=False, **more)


@hookimpl
def benchspec_register() -> list[type[Lora]]:
    return [Lora]
