"""GPT-J: Wang and Komatsuzaki 2021, "GPT-J-6B: A 6 Billion Parameter Autoregressive Language Model"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec import PluginError, Shape, hookimpl
from benchspec_plugins.models.causal import BYTES, DROPOUT, SOURCE_OPTIONS, Shaped, size


class GPTJ(Shaped):
    """GPT-J of any size: rotary positions, parallel residual branches, an untied head with bias."""

    name = "gpt-j"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "layers": size("decoder blocks"),
            "hidden": size("width of the residual stream"),
            "heads": size("attention heads"),
            "ffn": size("width of the feed-forward layers; 4 × hidden by default"),
            "vocabulary": size("rows of the word embeddings; by default the tokenizer's size, rounded up to 64"),
            "positions": size("longest sequence; 2048 by default"),
            "rotary": size("dimensions per head with rotary position embedding; all by default, 64 in GPT-J-6B"),
            "dropout": DROPOUT,
        }
    }
    blocks = ("GPTJBlock",)
    model_type = "gptj"
    config_class = "GPTJConfig"
    dimensions = {
        "layers": "n_layer",
        "hidden": "n_embd",
        "heads": "n_head",
        "ffn": "n_inner",
        "vocabulary": "vocab_size",
        "positions": "n_positions",
        "rotary": "rotary_dim",
    }
    left_out = {
        "n_layer": 28,
        "n_embd": 4096,
        "n_head": 16,
        "n_inner": None,
        "vocab_size": 50400,
        "n_positions": 2048,
        "rotary_dim": 64,
    }
    also = {
        "num_hidden_layers": "n_layer",
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
    }
    dropouts = ("resid_pdrop", "embd_pdrop")
    assumed = {"tie_word_embeddings": False}

    def defaults(self, hidden: int, heads: int) -> dict[str, Any]:
        return {"ffn": 4 * hidden, "positions": 2048, "rotary": hidden // heads}

    def check(self, sizes: Mapping[str, Any]) -> None:
        super().check(sizes)
        width = sizes["hidden"] // sizes["heads"]
        if sizes["rotary"] % 2 or sizes["rotary"] > width:
            raise PluginError(
                f"the model '{self.name}' cannot use rotary {sizes['rotary']}: "
                f"it must be even and at most {width}, the dimensions of a head"
            )

    def count(self, sizes: Mapping[str, Any]) -> Shape:
        layers, hidden, ffn, vocabulary = sizes["layers"], sizes["hidden"], sizes["ffn"], sizes["vocabulary"]
        attention = 4 * hidden * hidden
        norm = 2 * hidden
        block = attention + norm + 2 * hidden * ffn + ffn + hidden
        words, head = vocabulary * hidden, vocabulary * hidden + vocabulary
        return Shape(
            layers=layers,
            hidden=hidden,
            heads=sizes["heads"],
            ffn=ffn,
            vocabulary=vocabulary,
            positions=sizes["positions"],
            tied_head=False,
            parameters=layers * block + words + norm + head,
            lookup_parameters=words,
            block_parameters=block,
            parallel=True,
        )


# The configuration of the checkpoint on the hub.
GPTJ.presets = {
    "gpt-j-6b": {
        "path": "EleutherAI/gpt-j-6b",
        "layers": 28,
        "hidden": 4096,
        "heads": 16,
        "ffn": 16384,
        "vocabulary": 50400,
        "positions": 2048,
        "rotary": 64,
        "dropout": 0.0,
    },
    "gpt-j-tiny": {
        "weights": None,
        "tokenizer": BYTES,
        "layers": 2,
        "hidden": 64,
        "heads": 4,
        "ffn": 256,
        "positions": 2048,
        "rotary": 16,
        "dropout": 0.0,
    },
}


@hookimpl
def benchspec_register() -> list[type[GPTJ]]:
    return [GPTJ]
