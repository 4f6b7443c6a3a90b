"""OPT's presets against the published figures and `transformers`."""

from typing import Any

import pytest
from test_models_causal import assert_counts, create

from benchspec_plugins.models.opt import OPT

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

# The published parameter counts.
PUBLISHED = {"opt-6.7b": 6_658_473_984, "opt-13b": 12_853_473_280, "opt-30b": 29_974_540_288}


@pytest.mark.parametrize("preset", OPT.presets)
def test_the_shape_is_that_of_the_network(preset: str) -> None:
    model = create(OPT, preset, weights="random", tokenizer="bytes")
    shape = model.shape()
    network = assert_counts(model)
    config = network.config
    assert (shape.layers, shape.hidden, shape.heads) == (
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
    )
    assert (shape.ffn, shape.vocabulary, shape.positions) == (
        config.ffn_dim,
        config.vocab_size,
        config.max_position_embeddings,
    )
    assert shape.tied_head is (network.lm_head.weight is network.get_input_embeddings().weight) is True
    assert shape.lookup_parameters == network.model.decoder.embed_positions.weight.numel()
    assert (config.dropout, config.attention_dropout, config.activation_function) == (0.1, 0.0, "relu")


@pytest.mark.parametrize(("preset", "parameters"), PUBLISHED.items())
def test_published_counts(preset: str, parameters: int) -> None:
    assert create(OPT, preset).shape().parameters == parameters


def test_the_defaults_of_transformers_are_opt_125m() -> None:
    built = assert_counts(create(OPT, "opt-125m", weights="random", tokenizer="bytes")).config.to_dict()
    theirs = transformers.OPTConfig().to_dict()
    ours = {key: value for key, value in built.items() if "token_id" not in key}
    differ = {key for key in ours if ours[key] != theirs.get(key)}
    assert differ <= {"use_cache", "dtype", "architectures"}


def test_opt_350m_projects_its_embeddings_and_normalises_after_each_block() -> None:
    network = assert_counts(create(OPT, "opt-350m", weights="random", tokenizer="bytes"))
    decoder = network.model.decoder
    assert decoder.embed_tokens.weight.shape == (50272, 512)
    assert decoder.project_in.weight.shape == (1024, 512)
    assert decoder.final_layer_norm is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ffn": 100},
        {"positions": 77},
        {"embedding": 24},
        {"pre_norm": False},
        {"vocabulary": 999, "embedding": 100, "pre_norm": False},
    ],
)
def test_any_shape(given: dict[str, Any]) -> None:
    model = create(OPT, weights="random", tokenizer="bytes", layers=3, hidden=48, heads=6, **given)
    network = assert_counts(model)
    assert model.shape().ffn == network.config.ffn_dim == given.get("ffn", 192)
    assert model.shape().positions == given.get("positions", 2048)
    assert network.config.dropout == 0.1


def test_opt_175b_has_the_tokenizer_of_the_others_and_no_weights() -> None:
    model = create(OPT, "opt-175b")
    assert (model.options["path"], model.options["tokenizer"]) == (None, "facebook/opt-66b")
