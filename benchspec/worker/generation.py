"""Answers to prompts, batch by batch, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from benchspec.terms.errors import BenchspecError
from benchspec.worker import device

if TYPE_CHECKING:
    import torch

#: tokens that are generated for the first batch before anything is timed, so that no kernel is loaded or chosen later
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


def prompts(query: Mapping[str, Any], templates: Mapping[str, str] | None) -> list[Prompt]:
    """The prompts of a case's `query`, in a recipe's templates; without templates, as they are."""
    return [_prompt(given, templates) for given in query["prompts"]]


def _prompt(given: str | Mapping[str, str], templates: Mapping[str, str] | None) -> Prompt:
    given = {"instruction": given} if isinstance(given, str) else given
    instruction, data = given["instruction"], given.get("input", "")
    said = f"{instruction}\n{data}" if data else instruction
    if templates is None:
        return Prompt(said, said)
    template = templates["with_input" if data else "without_input"]
    return Prompt(said, template.format(instruction=instruction, input=data))


def answer(
    network: Any, tokenizer: Any, asked: Sequence[Prompt], query: Mapping[str, Any], target: torch.device
) -> Iterator[Batch]:
    """The answers of a network on the device `target`; raises `BenchspecError` for a prompt that is too long for it.

    Only `query` decides how tokens are chosen: whatever a checkpoint prefers is left aside. Prompts of a batch are
    padded on the left.
    """
    import torch

    network.eval()
    _set_choice(network, tokenizer, query)
    _check_lengths(network, tokenizer, asked, query["max_new_tokens"])
    size = query["batch_size"]
    batches = [asked[start : start + size] for start in range(0, len(asked), size)]
    with torch.inference_mode():
        _generate(network, tokenizer, batches[0], target, min(WARM_UP, query["max_new_tokens"]))
        torch.manual_seed(query["seed"])
        for batch in batches:
            yield _generate(network, tokenizer, batch, target, query["max_new_tokens"])


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


def _check_lengths(network: Any, tokenizer: Any, asked: Sequence[Prompt], new: int) -> None:
    """Raise `BenchspecError` if a prompt and its answer are longer than the network's positions."""
    most = getattr(network.config.get_text_config(), "max_position_embeddings", None)
    for prompt in asked:
        length = len(tokenizer(prompt.text)["input_ids"])
        if most and length + new > most:
            raise BenchspecError(
                f"the prompt '{prompt.said[:60]}' has {length} tokens with its template; with {new} new ones "
                f"(query.max_new_tokens) that is more than the {most} positions of the model"
            )


def _generate(network: Any, tokenizer: Any, batch: Sequence[Prompt], target: torch.device, new: int) -> Batch:
    inputs = _encoded(tokenizer, [prompt.text for prompt in batch], target)
    clock = _FirstToken()
    device.finish_work()
    begun = time.monotonic()
    output = network.generate(**inputs, max_new_tokens=new, stopping_criteria=[clock])
    device.finish_work()
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

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        import torch

        if not self.at:
            device.finish_work()
            self.at = time.monotonic()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
