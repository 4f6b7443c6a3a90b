"""Names for models that are fine-tuned today, each with its published shape: the config.json of the named checkpoint.

The sources beside each family say the same; the totals of parameters in the tests are those of the model cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _preset(hub: str, model_type: str, shape: tuple[int, ...], **more: Any) -> dict[str, Any]:
    """`shape`: blocks, width, heads, heads of keys and values, width of the feed-forward network, vocabulary."""
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    fields = dict(zip((*names, "vocab_size"), shape, strict=True))
    return {"path": hub, "config": {"model_type": model_type, **fields, **more}}


def _llama(hub: str, *shape: int, **more: Any) -> dict[str, Any]:
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}
    return _preset(f"meta-llama/{hub}", "llama", (*shape, 128256), max_position_embeddings=131072, **rope, **more)


def _qwen(hub: str, *shape: int, **more: Any) -> dict[str, Any]:
    own = {"head_dim": 128, "max_position_embeddings": 40960}
    return _preset(f"Qwen/{hub}", "qwen3", (*shape, 151936), **own, **more)


def _gemma(hub: str, *shape: int) -> dict[str, Any]:
    own = {"head_dim": 256, "max_position_embeddings": 32768, "tie_word_embeddings": True}
    return _preset(f"google/{hub}", "gemma3_text", (*shape, 262144), **own)


def _olmo(hub: str, *shape: int) -> dict[str, Any]:
    own = {"max_position_embeddings": 4096, "tie_word_embeddings": False}
    return _preset(f"allenai/{hub}", "olmo2", (*shape, 100352), **own)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Dubey et al. 2024, "The Llama 3 Herd of Models", table 3; Llama 3.2's model card.
    "llama-3.2-1b": _llama("Llama-3.2-1B", 16, 2048, 32, 8, 8192, head_dim=64, tie_word_embeddings=True),
    "llama-3.2-3b": _llama("Llama-3.2-3B", 28, 3072, 24, 8, 8192, head_dim=128, tie_word_embeddings=True),
    "llama-3.1-8b": _llama("Llama-3.1-8B", 32, 4096, 32, 8, 14336),
    "llama-3.1-70b": _llama("Llama-3.1-70B", 80, 8192, 64, 8, 28672),
    # Yang et al. 2025, "Qwen3 Technical Report", tables 1 and 2.
    "qwen3-0.6b": _qwen("Qwen3-0.6B", 28, 1024, 16, 8, 3072, tie_word_embeddings=True),
    "qwen3-1.7b": _qwen("Qwen3-1.7B", 28, 2048, 16, 8, 6144, tie_word_embeddings=True),
    "qwen3-4b": _qwen("Qwen3-4B", 36, 2560, 32, 8, 9728, tie_word_embeddings=True),
    "qwen3-8b": _qwen("Qwen3-8B", 36, 4096, 32, 8, 12288),
    "qwen3-14b": _qwen("Qwen3-14B", 40, 5120, 40, 8, 17408),
    "qwen3-32b": _qwen("Qwen3-32B", 64, 5120, 64, 8, 25600),
    # Gemma Team 2025, "Gemma 3 Technical Report", and the model cards; the text models only.
    "gemma-3-270m": _gemma("gemma-3-270m", 18, 640, 4, 1, 2048),
    "gemma-3-1b": _gemma("gemma-3-1b-pt", 26, 1152, 4, 1, 6912),
    # Jiang et al. 2023, "Mistral 7B"; version 0.3 has a larger vocabulary.
    "mistral-7b": _preset(
        "mistralai/Mistral-7B-v0.3", "mistral", (32, 4096, 32, 8, 14336, 32768), max_position_embeddings=32768
    ),
    # OLMo Team 2024, "2 OLMo 2 Furious", table 1, and the model cards of 1B and 32B.
    "olmo-2-1b": _olmo("OLMo-2-0425-1B", 16, 2048, 16, 16, 8192),
    "olmo-2-7b": _olmo("OLMo-2-1124-7B", 32, 4096, 32, 32, 11008),
    "olmo-2-13b": _olmo("OLMo-2-1124-13B", 40, 5120, 40, 40, 13824),
    "olmo-2-32b": _olmo("OLMo-2-0325-32B", 64, 5120, 40, 8, 27648),
}
