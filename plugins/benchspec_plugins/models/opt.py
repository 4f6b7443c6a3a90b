"""OPT: Zhang et al. 2022, "OPT: Open Pre-trained Transformer Language Models"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec import Shape, hookimpl
from benchspec_plugins.models.causal import BYTES, DROPOUT, SOURCE_OPTIONS, Shaped, size

#: unused rows at the beginning of the position table
POSITION_OFFSET = 2


class OPT(Shaped):
    """OPT of any size: learned positions, ReLU, a head tied to the word embeddings."""

    name = "opt"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "layers": size("decoder blocks"),
            "hidden": size("width of the residual stream"),
            "heads": size("attention heads"),
            "ffn": size("width of the feed-forward layers; 4 × hidden by default"),
            "vocabulary": size("rows of the word embeddings; by default the tokenizer's size, rounded up to 64"),
            "positions": size("longest sequence; 2048 by default"),
            "embedding": size("width of the word embeddings; `hidden` by default, 512 in OPT-350M"),
            "pre_norm": {
                "type": ["boolean", "null"],
                "default": None,
                "description": "layer norm before each sub-layer, as in all but OPT-350M; true by default",
            },
            "dropout": DROPOUT,
        }
    }
    blocks = ("OPTDecoderLayer",)
    model_type = "opt"
    config_class = "OPTConfig"
    dimensions = {
        "layers": "num_hidden_layers",
        "hidden": "hidden_size",
        "heads": "num_attention_heads",
        "ffn": "ffn_dim",
        "vocabulary": "vocab_size",
        "positions": "max_position_embeddings",
        "embedding": "word_embed_proj_dim",
        "pre_norm": "do_layer_norm_before",
    }
    left_out = {
        "num_hidden_layers": 12,
        "hidden_size": 768,
        "num_attention_heads": 12,
        "ffn_dim": 3072,
        "vocab_size": 50272,
        "max_position_embeddings": 2048,
        "word_embed_proj_dim": None,
        "do_layer_norm_before": True,
    }
    dropouts = ("dropout",)
    # Galactica, for example, has OPT's model type but no biases.
    assumed = {
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "_remove_final_layer_norm": False,
        "tie_word_embeddings": True,
    }

    def defaults(self, hidden: int, heads: int) -> dict[str, Any]:
        return {"ffn": 4 * hidden, "positions": 2048, "embedding": hidden, "pre_norm": True}

    def count(self, sizes: Mapping[str, Any]) -> Shape:
        layers, hidden, ffn, width = sizes["layers"], sizes["hidden"], sizes["ffn"], sizes["embedding"]
        attention = 4 * (hidden * hidden + hidden)
        norms = 4 * hidden
        block = attention + norms + 2 * hidden * ffn + ffn + hidden
        table = (sizes["positions"] + POSITION_OFFSET) * hidden
        projections = 2 * width * hidden if width != hidden else 0
        final_norm = 2 * hidden if sizes["pre_norm"] else 0
        return Shape(
            layers=layers,
            hidden=hidden,
            heads=sizes["heads"],
            ffn=ffn,
            vocabulary=sizes["vocabulary"],
            positions=sizes["positions"],
            tied_head=True,
            parameters=layers * block + sizes["vocabulary"] * width + table + projections + final_norm,
            # The word embeddings are also multiplied with, as the output head.
            lookup_parameters=table,
            block_parameters=block,
        )


def _preset(hub: str | None, layers: int, hidden: int, heads: int, **other: Any) -> dict[str, Any]:
    shape = {"layers": layers, "hidden": hidden, "heads": heads, "ffn": 4 * hidden}
    published = {"vocabulary": 50272, "positions": 2048, "embedding": hidden, "pre_norm": True, "dropout": 0.1}
    return {"path": hub, **shape, **published, **other}


# Table 1 of the paper, and the configurations of the checkpoints on the hub.
OPT.presets = {
    "opt-125m": _preset("facebook/opt-125m", 12, 768, 12),
    "opt-350m": _preset("facebook/opt-350m", 24, 1024, 16, embedding=512, pre_norm=False),
    "opt-1.3b": _preset("facebook/opt-1.3b", 24, 2048, 32),
    "opt-2.7b": _preset("facebook/opt-2.7b", 32, 2560, 32),
    "opt-6.7b": _preset("facebook/opt-6.7b", 32, 4096, 32),
    "opt-13b": _preset("facebook/opt-13b", 40, 5120, 40),
    "opt-30b": _preset("facebook/opt-30b", 48, 7168, 56),
    "opt-66b": _preset("facebook/opt-66b", 64, 9216, 72),
    # Its weights are not on the hub (they were available on request); its tokenizer is that of the others.
    "opt-175b": _preset(None, 96, 12288, 96, tokenizer="facebook/opt-66b"),
    "opt-tiny": {
        "weights": None,
        "tokenizer": BYTES,
        "layers": 2,
        "hidden": 64,
        "heads": 4,
        "ffn": 256,
        "positions": 2048,
        "dropout": 0.1,
    },
}


@hookimpl
def benchspec_register() -> list[type[OPT]]:
    return [OPT]
