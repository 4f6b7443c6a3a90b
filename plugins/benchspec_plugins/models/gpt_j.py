"""GPT-J: Wang and Komatsuzaki 2021, "GPT-J-6B: A 6 Billion Parameter Autoregressive Language Model"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchspec import Shape, hookimpl
from benchspec_plugins.models.causal import BYTES, DROPOUT, SOURCE_OPTIONS, Causal, size


class GPTJ(Causal):
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
            "rotary": size("dimensions of a head that turn with the position; all of them by default, 64 in GPT-J-6B"),
            "dropout": DROPOUT,
        }
    }
    config_fields = {
        "layers": ("n_layer",),
        "hidden": ("n_embd",),
        "heads": ("n_head",),
        "ffn": ("n_inner",),
        "vocabulary": ("vocab_size",),
        "positions": ("n_positions",),
        "rotary": ("rotary_dim",),
        "dropout": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    }
    blocks = ("GPTJBlock",)

    def shape(self) -> Shape | None:
        vocabulary = self.vocabulary()
        if not self.has_shape() or vocabulary is None:
            return None
        layers, hidden = self.options["layers"], self.options["hidden"]
        ffn = self.options["ffn"] or 4 * hidden
        block = 2 * hidden + 4 * hidden * hidden + 2 * hidden * ffn + ffn + hidden
        words, head = vocabulary * hidden, vocabulary * hidden + vocabulary
        return Shape(
            layers=layers,
            hidden=hidden,
            heads=self.options["heads"],
            ffn=ffn,
            vocabulary=vocabulary,
            positions=None,
            tied_head=False,
            parameters=layers * block + words + 2 * hidden + head,
            lookup_parameters=words,
        )

    def config(self, vocabulary: int, special: Mapping[str, int | None]) -> Any:
        from transformers import GPTJConfig

        defaults = {"rotary_dim": self.options["hidden"] // self.options["heads"], "n_positions": 2048}
        return GPTJConfig(**{**defaults, **self.fields(), "vocab_size": vocabulary, **special})


# The configuration beside the checkpoint on the hub.
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
        "weights": "random",
        "tokenizer": BYTES,
        "layers": 2,
        "hidden": 64,
        "heads": 4,
        "rotary": 8,
        "dropout": 0.0,
    },
}


@hookimpl
def benchspec_register() -> list[type[GPTJ]]:
    return [GPTJ]
