"""BLOOM and BLOOMZ: Le Scao et al. 2022, "BLOOM: A 176B-Parameter Open-Access Multilingual Language Model"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec import Shape, hookimpl
from benchspec_plugins.models.causal import BYTES, DROPOUT, SOURCE_OPTIONS, Shaped, size


class Bloom(Shaped):
    """BLOOM of any size: ALiBi, so any sequence length; a layer norm after the word embeddings; a tied head."""

    name = "bloom"
    options_schema = {
        "properties": {
            **SOURCE_OPTIONS,
            "layers": size("decoder blocks"),
            "hidden": size("width of the residual stream; the feed-forward layers are 4 times as wide"),
            "heads": size("attention heads"),
            "vocabulary": size("rows of the word embeddings; by default the tokenizer's size, rounded up to 64"),
            "dropout": DROPOUT,
        }
    }
    blocks = ("BloomBlock",)
    model_type = "bloom"
    config_class = "BloomConfig"
    dimensions = {"layers": "n_layer", "hidden": "hidden_size", "heads": "n_head", "vocabulary": "vocab_size"}
    left_out = {"n_layer": 2, "hidden_size": 64, "n_head": 8, "vocab_size": 250880}
    also = {"n_embed": "hidden_size", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer"}
    dropouts = ("hidden_dropout",)
    assumed = {"tie_word_embeddings": True}

    def defaults(self, hidden: int, heads: int) -> dict[str, Any]:
        return {}

    def count(self, sizes: Mapping[str, Any]) -> Shape:
        layers, hidden, vocabulary = sizes["layers"], sizes["hidden"], sizes["vocabulary"]
        ffn = 4 * hidden
        attention = 4 * (hidden * hidden + hidden)
        norm = 2 * hidden
        block = attention + 2 * norm + 2 * hidden * ffn + ffn + hidden
        return Shape(
            layers=layers,
            hidden=hidden,
            heads=sizes["heads"],
            ffn=ffn,
            vocabulary=vocabulary,
            positions=None,
            tied_head=True,
            parameters=layers * block + vocabulary * hidden + 2 * norm,
            # There is no position table, and the word embeddings are also multiplied with, as the output head.
            lookup_parameters=0,
            block_parameters=block,
        )


def _preset(hub: str, layers: int, hidden: int, heads: int) -> dict[str, Any]:
    shape = {"layers": layers, "hidden": hidden, "heads": heads}
    return {"path": hub, **shape, "vocabulary": 250880, "dropout": 0.0}


# Table 3 of the paper, and the configurations of the checkpoints on the hub.
Bloom.presets = {
    "bloom-560m": _preset("bigscience/bloom-560m", 24, 1024, 16),
    "bloom-1b1": _preset("bigscience/bloom-1b1", 24, 1536, 16),
    "bloom-1b7": _preset("bigscience/bloom-1b7", 24, 2048, 16),
    "bloom-3b": _preset("bigscience/bloom-3b", 30, 2560, 32),
    "bloom-7b1": _preset("bigscience/bloom-7b1", 30, 4096, 32),
    "bloom-176b": _preset("bigscience/bloom", 70, 14336, 112),
    "bloomz-7b1": _preset("bigscience/bloomz-7b1", 30, 4096, 32),
    "bloomz-176b": _preset("bigscience/bloomz", 70, 14336, 112),
    "bloom-tiny": {"weights": None, "tokenizer": BYTES, "layers": 2, "hidden": 64, "heads": 4, "dropout": 0.0},
}


@hookimpl
def benchspec_register() -> list[type[Bloom]]:
    return [Bloom]
