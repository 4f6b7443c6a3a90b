"""A model plugin whose network says prepared texts, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchspec import Model
from benchspec_plugins.models.byte_tokenizer import byte_tokenizer


def teacher(say: Callable[[str], str]) -> Model:
    """A teacher that answers a prompt with `say(prompt)`; it counts in `asked` how many prompts it was given."""
    import torch

    tokenizer = byte_tokenizer()

    class Network(torch.nn.Module):
        """Has the part of a causal model's interface that generation uses."""

        def generate(self, input_ids: Any, max_new_tokens: int, stopping_criteria: Any, **kwargs: Any) -> Any:
            prompts = tokenizer.batch_decode(input_ids, skip_special_tokens=True)
            Scripted.asked += len(prompts)
            for criterion in stopping_criteria:
                criterion(input_ids, None)
            said = [[*tokenizer(say(prompt))["input_ids"], tokenizer.eos_token_id] for prompt in prompts]
            width = max(map(len, said))
            rows = [row + [tokenizer.pad_token_id] * (width - len(row)) for row in said]
            return torch.cat([input_ids, torch.tensor(rows)], dim=1)[:, : input_ids.shape[1] + max_new_tokens]

    class Scripted(Model):
        """See `teacher`."""

        name = "scripted"
        asked = 0

        def tokenizer(self) -> Any:
            return tokenizer

        def build(self) -> Any:
            return Network()

    return Scripted({})
