"""Answers of a causal model of `transformers` to prompts, batch by batch, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from benchspec.terms.errors import BenchspecError
from benchspec.terms.harmless import clipped

if TYPE_CHECKING:
    import torch

#: tokens that a warm-up generates, so that no kernel is loaded or chosen while answers are timed
WARM_UP = 2


class Prompt(NamedTuple):
    """Something to ask."""

    #: as the spec says it
    said: str
    #: as the model is given it
    text: str


class Batch(NamedTuple):
    """Prompts that were answered together."""

    #: `{prompt, text}` of each
    answers: list[dict[str, str]]
    #: seconds until each had its first token
    first_token: float
    #: seconds until all were answered
    seconds: float
    #: generated tokens, the one that ends an answer included
    tokens: int
    #: whether each ended by itself, before it reached the most tokens
    ended: list[bool]


def answer(
    network: Any,
    tokenizer: Any,
    asked: Sequence[Prompt],
    query: Mapping[str, Any],
    target: torch.device,
    *,
    warm_up: bool = False,
) -> Iterator[Batch]:
    """The answers of a network on the device `target`; raises `BenchspecError` for a prompt that is too long for it.

    `query` has `max_new_tokens`, `temperature`, `seed` and `batch_size`, as a case's `query`. Only it decides how
    tokens are chosen: whatever a checkpoint prefers is left aside. Prompts of a batch are padded on the left.
    With `warm_up`, the first batch is answered in part before anything is timed.
    """
    import torch

    network.eval()
    _set_choice(network, tokenizer, query)
    check_lengths(tokenizer, asked, query["max_new_tokens"], positions(network))
    size = query["batch_size"]
    batches = [asked[start : start + size] for start in range(0, len(asked), size)]
    with torch.inference_mode():
        if warm_up:
            _generate(network, tokenizer, batches[0], target, min(WARM_UP, query["max_new_tokens"]))
        torch.manual_seed(query["seed"])
        for batch in batches:
            yield _generate(network, tokenizer, batch, target, query["max_new_tokens"])


def _finish_work(target: torch.device) -> None:
    """Wait until an accelerator has done what was asked of it."""
    import torch

    if target.type == "cuda":
        torch.cuda.synchronize(target)


def _set_choice(network: Any, tokenizer: Any, query: Mapping[str, Any]) -> None:
    """Choose how tokens are chosen, and which of them end an answer: the checkpoint's and the tokenizer's own."""
    from transformers import GenerationConfig

    configuration: Any = GenerationConfig

    own = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
    sampled = {"do_sample": True, "temperature": float(query["temperature"]), "top_k": 0, "top_p": 1.0}
    network.generation_config = configuration(
        **sampled if query["temperature"] else {"do_sample": False},
        eos_token_id=sorted(ends),
        pad_token_id=_padding(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        use_cache=True,
    )


def _padding(tokenizer: Any) -> int:
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def positions(network: Any) -> int | None:
    """The longest sequence that a network takes; None if that is not limited, or not known."""
    config = getattr(network, "config", None)
    return config and getattr(config.get_text_config(), "max_position_embeddings", None)


def check_lengths(tokenizer: Any, asked: Sequence[Prompt], new: int, most: int | None) -> None:
    """Raise `BenchspecError` for a prompt without tokens, or one that is too long with `new` more."""
    for prompt in asked:
        length = len(tokenizer(prompt.text)["input_ids"])
        if not length:
            raise BenchspecError(f"the prompt '{clipped(prompt.said)}' has no tokens")
        if most and length + new > most:
            raise BenchspecError(
                f"the prompt '{clipped(prompt.said)}' has {length} tokens with its template; with {new} new ones "
                f"(query.max_new_tokens) that is more than the {most} positions of the model"
            )


def _generate(network: Any, tokenizer: Any, batch: Sequence[Prompt], target: torch.device, new: int) -> Batch:
    inputs = _encoded(tokenizer, [prompt.text for prompt in batch], target)
    clock = _FirstToken(target)
    _finish_work(target)
    begun = time.monotonic()
    output = network.generate(**inputs, max_new_tokens=new, stopping_criteria=[clock])
    _finish_work(target)
    seconds = time.monotonic() - begun
    rows = output[:, inputs["input_ids"].shape[1] :].tolist()
    ends = set(network.generation_config.eos_token_id)
    return Batch(
        answers=[
            {"prompt": prompt.said, "text": tokenizer.decode(row, skip_special_tokens=True)}
            for prompt, row in zip(batch, rows, strict=True)
        ],
        first_token=clock.at - begun,
        seconds=seconds,
        tokens=sum(_length(row, ends) for row in rows),
        ended=[not ends.isdisjoint(row) for row in rows],
    )


def _encoded(tokenizer: Any, texts: list[str], target: torch.device) -> dict[str, Any]:
    """Texts as token ids and their mask, padded on the left, where generation would otherwise go on behind padding."""
    import torch

    rows = tokenizer(texts)["input_ids"]
    width, padding = max(map(len, rows)), _padding(tokenizer)
    ids = [[padding] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return {
        "input_ids": torch.tensor(ids, device=target),
        "attention_mask": torch.tensor(mask, device=target),
    }


def _length(row: Sequence[int], ends: set[int]) -> int:
    """The tokens of an answer: what stands behind its end is padding."""
    return next((place for place, token in enumerate(row, start=1) if token in ends), len(row))


class _FirstToken:
    """Notes when `generate` has its first tokens; never asks it to stop."""

    at = 0.0

    def __init__(self, target: torch.device):
        self._target = target

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        import torch

        if not self.at:
            _finish_work(self._target)
            self.at = time.monotonic()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
