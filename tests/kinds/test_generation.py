"""Answers to prompts: chosen as the query says, timed and counted."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, small_tokenizer, tiny

from benchspec.kinds import generation
from benchspec.kinds.generation import Prompt
from benchspec.terms.errors import BenchspecError

QUERY = {"max_new_tokens": 6, "temperature": 0.0, "seed": 1, "batch_size": 2}
CPU = torch.device("cpu")


def asked(*texts):
    return [Prompt(text, text) for text in texts]


def answered(network, prompts, **changes):
    return list(generation.answer(network, small_tokenizer(), prompts, {**QUERY, **changes}, CPU))


def texts(batches):
    return [answer["text"] for batch in batches for answer in batch.answers]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_answers_are_those_of_the_most_likely_tokens_whatever_stands_beside_them(family):
    network, tokenizer = tiny(family).eval(), small_tokenizer()
    ids = tokenizer("w5 w6 w7", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        for _ in range(6):
            ids = torch.cat([ids, network(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    wanted = tokenizer.decode(ids[0, 3:], skip_special_tokens=True)
    alone = texts(answered(network, asked("w5 w6 w7")))
    together = texts(answered(network, asked("w5 w6 w7", "w3 w4 w9 w9 w9 w11 w12")))
    assert alone == [wanted]
    assert together[0] == wanted


def test_drawn_answers_depend_on_the_seed_and_not_on_what_a_checkpoint_prefers():
    network = tiny("opt")
    first = texts(answered(network, asked("w5", "w6", "w7"), temperature=1.0))
    network.generation_config.update(top_k=1, temperature=0.01, repetition_penalty=9.0)
    assert texts(answered(network, asked("w5", "w6", "w7"), temperature=1.0)) == first
    assert texts(answered(network, asked("w5", "w6", "w7"), temperature=1.0, seed=2)) != first


def test_a_batch_is_timed_and_its_tokens_counted():
    first, second = answered(tiny("opt"), asked("w5", "w6", "w7"), batch_size=2)
    assert (len(first.answers), len(second.answers)) == (2, 1)
    assert 0 < first.first_token < first.seconds
    assert 0 < first.tokens <= 12
    assert first.answers[0]["prompt"] == "w5"


def test_an_answer_ends_with_the_token_that_ends_it():
    assert generation._length([5, 6, 2, 2, 2], {2}) == 3
    assert generation._length([5, 6, 7], {2}) == 3
    network = tiny("opt")
    with torch.no_grad():
        network.lm_head.weight.copy_(torch.zeros_like(network.lm_head.weight))
        network.lm_head.weight[2] = 1.0
        network.model.decoder.final_layer_norm.bias.fill_(1.0)
    (batch,) = answered(network, asked("w5"))
    assert (batch.tokens, batch.answers[0]["text"], batch.ended) == (1, "", [True])


def test_a_prompt_that_is_too_long_for_the_model_is_named():
    with pytest.raises(BenchspecError, match=r"the prompt 'w5 w5.*' has 61 tokens .* with 6 new ones .* 64 positions"):
        answered(tiny("opt"), asked("w6", " ".join(["w5"] * 61)))
