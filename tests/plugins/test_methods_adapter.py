"""The method `adapter`."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, tiny

from benchspec import BenchspecError, PluginError
from benchspec_plugins.methods.adapter import Adapter, load

IDS = torch.tensor([[3, 4, 5, 6]])


def applied(family: str, size: int = 8):
    network = tiny(family)
    torch.manual_seed(1)
    return Adapter({"size": size}).apply(network)


def outputs(network):
    with torch.no_grad():
        return network.eval()(input_ids=IDS).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_two_adapters_in_each_block_are_trained_and_nothing_else(family: str) -> None:
    network = applied(family)
    trained = {name: p.numel() for name, p in network.named_parameters() if p.requires_grad}
    assert sum(trained.values()) == 2 * 2 * (2 * 8 * 32 + 8 + 32)
    assert all(".down." in name or ".up." in name for name in trained)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_near_the_model_as_it_is(family: str) -> None:
    before, after = outputs(tiny(family)), outputs(applied(family))
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_adapter_is_loaded_onto_a_base_without_a_name(family: str, tmp_path: Path) -> None:
    network = applied(family)
    with torch.no_grad():
        for _name, parameter in network.named_parameters():
            parameter.add_(0.1 if parameter.requires_grad else 0)
    network.save_pretrained(str(tmp_path))
    assert torch.equal(outputs(load(str(tmp_path))), outputs(network))
    assert {path.name for path in tmp_path.iterdir()} == {"adapter.json", "adapter.safetensors", "base"}


def test_a_base_with_a_name_is_named_and_not_saved(tmp_path: Path) -> None:
    network = applied("opt")
    network.config.name_or_path = "facebook/opt-125m"
    network.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "adapter.json").read_text()) == {
        "method": "adapter", "size": 8, "base": "facebook/opt-125m",
    }  # fmt: skip
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("file", ["adapter.json", "adapter.safetensors"])
def test_an_incomplete_checkpoint_is_refused(file: str, tmp_path: Path) -> None:
    applied("opt").save_pretrained(str(tmp_path))
    (tmp_path / file).write_bytes(b"{}")
    with pytest.raises(BenchspecError, match="is no checkpoint of the method 'adapter'"):
        load(str(tmp_path))


def test_adapters_of_another_model_are_refused(tmp_path: Path) -> None:
    applied("opt").save_pretrained(str(tmp_path))
    tiny("bloom").save_pretrained(tmp_path / "other")
    with pytest.raises(BenchspecError, match="does not have the adapters of"):
        load(str(tmp_path), str(tmp_path / "other"))


def test_a_model_with_other_layers_is_refused() -> None:
    from transformers import XGLMConfig, XGLMForCausalLM

    sizes = {"vocab_size": 20, "d_model": 16, "ffn_dim": 16, "num_layers": 1, "attention_heads": 2}
    network = XGLMForCausalLM(XGLMConfig(**sizes))
    for layer in network.model.layers:
        layer.last = layer._modules.pop("fc2")
    with pytest.raises(PluginError, match=r"looks for two layers in each XGLMDecoderLayer.*finds 1: out_proj"):
        Adapter({"size": 8}).apply(network)
