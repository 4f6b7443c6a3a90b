"""BLOOM's presets against the published figures and `transformers`."""

import pytest
from test_models_causal import assert_counts, counted, create

from benchspec_plugins.models.bloom import Bloom

# As on the model cards on the hub.
PUBLISHED = {
    "bloom-560m": 559_214_592,
    "bloom-7b1": 7_069_016_064,
    "bloom-176b": 176_247_271_424,
}


@pytest.mark.parametrize("preset", Bloom.presets)
def test_the_shape_is_that_of_the_network(preset: str) -> None:
    model = create(Bloom, preset, weights="random", tokenizer="bytes")
    shape = model.shape()
    network = assert_counts(model)
    config = network.config
    assert (shape.layers, shape.hidden, shape.heads) == (config.n_layer, config.hidden_size, config.n_head)
    assert shape.ffn == network.transformer.h[0].mlp.dense_h_to_4h.out_features
    assert (shape.vocabulary, shape.positions) == (config.vocab_size, None)
    assert shape.tied_head is (network.lm_head.weight is network.get_input_embeddings().weight) is True
    assert shape.lookup_parameters == 0
    assert (config.hidden_dropout, config.attention_dropout) == (0, 0)


@pytest.mark.parametrize(("preset", "parameters"), PUBLISHED.items())
def test_published_counts(preset: str, parameters: int) -> None:
    assert create(Bloom, preset).shape().parameters == parameters


def test_any_shape() -> None:
    model = create(Bloom, weights="random", tokenizer="bytes", layers=3, hidden=48, heads=6, vocabulary=999)
    assert assert_counts(model).config.vocab_size == 999


def test_a_checkpoint_with_bloom_s_old_names_of_sizes_has_its_shape(tmp_path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "bloom", "n_embed": 96, "n_layer": 2, "num_attention_heads": 4, "vocab_size": 320}'
    )
    model = create(Bloom, path=str(tmp_path), weights="random", tokenizer="bytes")
    assert model.shape().hidden == 96
    assert counted(model.build()) == model.shape().parameters
