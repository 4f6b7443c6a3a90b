"""Incomplete checkpoints: `pretrained` must never mean random parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchspec import PluginError
from benchspec_plugins.models.byte_tokenizer import byte_tokenizer
from benchspec_plugins.models.hf import HF
from benchspec_plugins.models.opt import OPT

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

WEIGHT = "model.decoder.layers.0.fc1.weight"


def model(cls: type, **options: Any) -> Any:
    fields = cls.options_schema["properties"]
    return cls({name: field.get("default") for name, field in fields.items()} | options)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    model(OPT, **OPT.presets["opt-tiny"]).build().save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def error_of(folder: Path) -> str:
    with pytest.raises(PluginError) as caught:
        model(HF, path=str(folder)).build()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_complete_one_gives_its_own_weights(checkpoint: Path) -> None:
    change(checkpoint, lambda tensors: tensors[WEIGHT].fill_(0.25))
    assert bool((model(HF, path=str(checkpoint)).build().get_parameter(WEIGHT) == 0.25).all())


def test_a_parameter_that_is_missing(checkpoint: Path) -> None:
    change(checkpoint, lambda tensors: tensors.pop(WEIGHT))
    assert f"lacks 1 of the network's parameters, such as {WEIGHT}" in error_of(checkpoint)


def test_a_parameter_of_another_shape(checkpoint: Path) -> None:
    change(checkpoint, lambda tensors: tensors.update({WEIGHT: torch.zeros(7, 64)}))
    assert f"has other shapes for 1 of the network's parameters, such as {WEIGHT}" in error_of(checkpoint)


def test_a_process_that_does_not_load_the_weights(checkpoint: Path) -> None:
    from benchspec_plugins.backends.fsdp_sharding import empty_models

    with empty_models():
        network = model(HF, path=str(checkpoint)).build()
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}


def test_a_network_without_its_head(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaModel

    sizes = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    LlamaModel(LlamaConfig(**sizes, vocab_size=320)).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    assert "such as lm_head.weight" in error_of(tmp_path)
