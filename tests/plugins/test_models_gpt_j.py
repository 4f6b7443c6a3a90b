"""GPT-J's presets against the published figures and `transformers`."""

from typing import Any

import pytest
from test_models_causal import assert_counts, create, error_of

from benchspec_plugins.models.gpt_j import GPTJ

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("preset", GPTJ.presets)
def test_the_shape_is_that_of_the_network(preset: str) -> None:
    model = create(GPTJ, preset, weights="random", tokenizer="bytes")
    shape = model.shape()
    network = assert_counts(model)
    config = network.config
    assert (shape.layers, shape.hidden, shape.heads) == (config.n_layer, config.n_embd, config.n_head)
    assert (shape.ffn, shape.vocabulary) == (config.n_inner, config.vocab_size)
    assert (shape.positions, shape.tied_head) == (2048, False)
    assert shape.lookup_parameters == network.get_input_embeddings().weight.numel()
    assert network.lm_head.weight is not network.get_input_embeddings().weight
    assert (config.resid_pdrop, config.embd_pdrop, config.attn_pdrop) == (0, 0, 0)


def test_the_defaults_of_transformers_are_gpt_j_6b() -> None:
    built = assert_counts(create(GPTJ, "gpt-j-6b", weights="random", tokenizer="bytes")).config.to_dict()
    theirs = transformers.GPTJConfig(n_inner=16384).to_dict()
    ours = {key: value for key, value in built.items() if "token_id" not in key}
    assert {key for key in ours if ours[key] != theirs.get(key)} <= {"use_cache", "dtype", "architectures"}


@pytest.mark.parametrize("given", [{}, {"ffn": 100}, {"positions": 77}, {"rotary": 2}, {"vocabulary": 999}])
def test_any_shape(given: dict[str, Any]) -> None:
    model = create(GPTJ, weights="random", tokenizer="bytes", layers=3, hidden=48, heads=6, **given)
    config = assert_counts(model).config
    assert model.shape().ffn == config.n_inner == given.get("ffn", 192)
    assert (config.n_positions, config.rotary_dim) == (given.get("positions", 2048), given.get("rotary", 8))


@pytest.mark.parametrize("rotary", [3, 10])
def test_invalid_rotary_dimensions(rotary: int) -> None:
    model = create(GPTJ, weights="random", tokenizer="bytes", layers=3, hidden=48, heads=6, rotary=rotary)
    assert error_of(model.shape) == error_of(model.build)
    assert f"cannot use rotary {rotary}: it must be even and at most " in error_of(model.shape)
