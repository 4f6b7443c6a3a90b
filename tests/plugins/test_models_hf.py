"""The model `hf`: architectures that benchspec does not know."""

from pathlib import Path

import pytest
from test_models_causal import create, error_of

from benchspec_plugins.models.byte_tokenizer import byte_tokenizer
from benchspec_plugins.models.hf import HF

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.LlamaConfig(**sizes, vocab_size=300)
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def test_a_checkpoint(llama: Path) -> None:
    model = create(HF, path=str(llama))
    assert model.shape().parameters == 39_840
    assert model.blocks == ()
    network = model.build()
    kept = transformers.AutoModelForCausalLM.from_pretrained(llama, dtype=torch.bfloat16)
    assert model.blocks == ("LlamaDecoderLayer",)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert torch.equal(network.lm_head.weight, kept.lm_head.weight.float())
    assert network.config.use_cache is False


def test_the_same_network_with_random_weights(llama: Path) -> None:
    model = create(HF, path=str(llama), weights="random")
    network, tokenizer = model.build(), model.tokenizer()
    kept = create(HF, path=str(llama)).build()
    assert network.lm_head.weight.shape == kept.lm_head.weight.shape
    assert not torch.equal(network.lm_head.weight, kept.lm_head.weight)
    assert network.config.eos_token_id == tokenizer.eos_token_id
    assert network.config.pad_token_id == tokenizer.pad_token_id


def test_the_path_is_required() -> None:
    assert HF.options_schema["required"] == ["path"]


def test_a_checkpoint_of_another_kind_of_model(tmp_path: Path) -> None:
    config = transformers.T5Config(d_model=32, d_ff=32, num_layers=1, num_heads=2, vocab_size=300)
    config.save_pretrained(tmp_path)
    for weights in ("random", "pretrained"):
        said = error_of(create(HF, path=str(tmp_path), tokenizer="bytes", weights=weights).build)
        assert "Unrecognized configuration class" in said


def test_an_unknown_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "from-the-future"}')
    said = error_of(create(HF, path=str(tmp_path), tokenizer="bytes").build)
    assert "from-the-future" in said
    assert said.endswith("give `path: FOLDER`")


CONFIG = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "vocab_size": 300,
}  # fmt: skip


def test_a_network_of_any_shape_without_a_checkpoint() -> None:
    model = create(HF, path="any-name", config=CONFIG, weights="random", tokenizer="bytes")
    network = model.build()
    assert model.shape().parameters == sum(parameter.numel() for parameter in network.parameters()) == 39_840
    assert network.config.name_or_path == ""


def test_a_configuration_that_transformers_does_not_accept() -> None:
    model = create(HF, path="any-name", config={"model_type": "nothing"}, weights="random", tokenizer="bytes")
    assert "has a `config` that transformers does not accept" in error_of(model.build)
    assert model.shape() is None
