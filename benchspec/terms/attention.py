"""The kinds of attention that only GPUs train."""

from __future__ import annotations

from collections.abc import Mapping

#: `train.attention` -> what transformers calls it
ON_GPUS: Mapping[str, str] = {"flash": "flash_attention_2", "flex": "flex_attention"}
