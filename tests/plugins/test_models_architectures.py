"""Sizes from config.json are those of the networks that `transformers` builds."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from test_models_causal import create

from benchspec.kinds.values import flops_per_token
from benchspec_plugins.methods.full import Full
from benchspec_plugins.models.architectures import ARCHITECTURES, shape_of
from benchspec_plugins.models.hf import FAMILIES, HF
from benchspec_plugins.models.modern import PRESETS

#: what changes the count, in addition to each class's own defaults
CHANGES: dict[str, dict[str, Any]] = {
    "nemotron": {"num_key_value_heads": 8, "head_dim": 128},
}
#: small, and unlike the defaults: keys and values that are narrower than queries, a head tied or not
SMALL = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 24, "max_position_embeddings": 48, "moe_intermediate_size": 40,
    "shared_expert_intermediate_size": 56, "num_experts": 6, "num_local_experts": 6, "num_experts_per_tok": 2,
    "pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "attention_types": [[["global"], 3]],
    "attention_bias": True, "mlp_bias": True, "use_qkv_bias": True,
}  # fmt: skip


def counted(config: Any) -> int:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = transformers.AutoModelForCausalLM.from_config(config)
    return sum(parameter.numel() for parameter in network.parameters())


def written(config: Any, folder: Path) -> dict[str, Any]:
    config.save_pretrained(folder)
    return json.loads((folder / "config.json").read_text())


def small(model_type: str, **more: Any) -> Any:
    """A small configuration of an architecture, with every field of `SMALL` that it has."""
    known, whole = (
        ARCHITECTURES[model_type],
        transformers.AutoConfig.for_model(model_type, **CHANGES.get(model_type, {})),
    )
    names = {"num_hidden_layers": "layers", "hidden_size": "hidden", "num_attention_heads": "heads",
             "intermediate_size": "ffn", "max_position_embeddings": "positions"}  # fmt: skip
    fields = {known.names.get(names.get(name, ""), name): value for name, value in {**SMALL, **more}.items()}
    general = ("tie_word_embeddings", "attn_implementation")
    return type(whole)(**{name: value for name, value in fields.items() if name in whole.to_dict() or name in general})


@pytest.mark.parametrize("model_type", [*ARCHITECTURES, *FAMILIES])
def test_the_size_of_each_architecture_as_published_whole_and_as_it_is_saved(model_type: str, tmp_path: Path) -> None:
    config = transformers.AutoConfig.for_model(model_type, **CHANGES.get(model_type, {}))
    wanted = counted(config)
    for found in (config.to_dict(), written(config, tmp_path)):
        (tmp_path / "config.json").write_text(json.dumps(found))
        assert create(HF, path=str(tmp_path)).shape().parameters == wanted


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_the_size_of_another_one_of_each_architecture(model_type: str, tmp_path: Path) -> None:
    tied = not ARCHITECTURES[model_type].defaults["tie_word_embeddings"]
    config = small(model_type, tie_word_embeddings=tied)
    wanted = counted(config)
    for found in (config.to_dict(), written(config, tmp_path)):
        shape = shape_of(found)
        assert shape is not None and shape.parameters == wanted
        assert shape.tied_head is tied


def _countable(config: Any) -> dict[str, str]:
    """By default, experts are computed by an operation that torch does not count."""
    return {"experts_implementation": "eager"} if "num_experts_per_tok" in config.to_dict() else {}


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_its_operations_are_those_that_torch_counts(model_type: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    # Larger, since biases and norms are multiplied with, but not in matrix products.
    config = small(model_type, hidden_size=512, intermediate_size=640, head_dim=192, attn_implementation="eager")
    shape = shape_of(config.to_dict())
    assert shape is not None
    network = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32, **_countable(config)).train()
    ids = torch.full((2, 32), 2)
    with FlopCounterMode(display=False) as counter:
        network(input_ids=ids, use_cache=False).logits.sum().backward()
    expected = 64 * flops_per_token(shape.to_json(), Full({}).share(shape)._asdict(), 32)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.02)


#: parameters of the checkpoints, as their model cards say
PUBLISHED = {
    "llama-3.2-1b": 1_235_814_400, "llama-3.2-3b": 3_212_749_824, "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496, "qwen3-0.6b": 596_049_920, "qwen3-1.7b": 1_720_574_976,
    "qwen3-4b": 4_022_468_096, "qwen3-8b": 8_190_735_360, "qwen3-14b": 14_768_307_200, "qwen3-32b": 32_762_123_264,
    "gemma-3-270m": 268_098_176, "gemma-3-1b": 999_885_952, "mistral-7b": 7_248_023_552,
    "olmo-2-1b": 1_484_916_736, "olmo-2-7b": 7_298_617_344, "olmo-2-13b": 13_716_198_400,
    "olmo-2-32b": 32_234_279_936,
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_size_that_was_published_and_that_transformers_builds(name: str) -> None:
    model = create(HF, **PRESETS[name])
    assert model.shape().parameters == PUBLISHED[name]
    model = create(HF, **PRESETS[name], weights="random", tokenizer="bytes")
    assert counted(model.config()) == PUBLISHED[name]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "from-the-future", "hidden_size": 8},
        {"model_type": "llama", "hidden_size": "wide"},
        {"model_type": "llama", "num_hidden_layers": 0},
        {"model_type": "llama", "hidden_size": 10, "num_attention_heads": 4},
        {"model_type": "qwen3_moe", "decoder_sparse_step": 2},
        {"model_type": "qwen2_moe", "mlp_only_layers": [0]},
        {"model_type": "opt", "hidden_size": "wide"},
        {"model_type": "opt", "enable_bias": False},
        {"model_type": ["llama"]},
        {},
    ],
)
def test_a_size_that_cannot_be_known_is_unknown(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert create(HF, path=str(tmp_path)).shape() is None


def test_a_mixture_of_experts_counts_what_a_token_uses() -> None:
    shape = shape_of({"model_type": "mixtral"})
    assert shape is not None
    assert (shape.parameters, shape.active_parameters) == (46_702_792_704, 12_879_925_248)


def test_the_size_of_a_model_in_the_local_cache_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = create(HF, path="someone/llama")
    assert model.shape() is None
    folder = tmp_path / "models--someone--llama"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc" / "config.json").write_text('{"model_type": "llama"}')
    assert model.shape().parameters == 6_738_415_616
