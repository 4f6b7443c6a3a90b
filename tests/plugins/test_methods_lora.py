"""The method `lora`."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from drive_backend import FAMILIES, create, tiny

from benchspec import PluginError
from benchspec_plugins.methods.lora import Lora
from benchspec_plugins.models.opt import OPT

IDS = torch.tensor([[3, 4, 5, 6]])


def applied(family: str, **options):
    torch.manual_seed(1)
    return create(Lora, {"rank": 4, **options}).apply(tiny(family))


def outputs(network):
    with torch.no_grad():
        return network.eval()(input_ids=IDS).logits


@pytest.mark.parametrize(("family", "layers"), [("opt", 2), ("gpt-j", 2), ("bloom", 1)])
def test_queries_and_values_are_adapted_by_default(family: str, layers: int) -> None:
    trained = [p for p in applied(family).parameters() if p.requires_grad]
    assert len(trained) == 2 * 2 * layers
    assert sum(p.numel() for p in trained) == 2 * 4 * 4 * 32


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_model_as_it_is(family: str) -> None:
    assert torch.equal(outputs(applied(family)), outputs(tiny(family)))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bare_peft_script_loads_what_is_saved(family: str, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    network = applied(family)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 if parameter.requires_grad else 0)
    network.save_pretrained(str(tmp_path))
    base = json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert Path(base) == tmp_path / "base"
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path)
    assert torch.equal(outputs(loaded), outputs(network))


def test_a_base_with_a_name_is_named_and_not_saved(tmp_path: Path) -> None:
    network = applied("opt")
    network.config.name_or_path = "facebook/opt-125m"
    network.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == "facebook/opt-125m"
    assert not (tmp_path / "base").exists()


def test_a_checkpoint_that_was_moved_loads_with_the_base_that_went_with_it(tmp_path: Path) -> None:
    network = applied("opt")
    network.save_pretrained(str(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    loaded = create(Lora, {}).load(str(tmp_path / "there"), torch.float32)
    assert torch.equal(outputs(loaded), outputs(network))


@pytest.mark.parametrize(("targets", "known"), [(None, True), (["q_proj", "fc1"], True), (["fc1"], False)])
def test_what_a_step_costs_is_known_where_queries_keys_or_values_are_adapted(targets, known) -> None:
    sizes = {"layers": 2, "hidden": 32, "heads": 4, "tokenizer": "bytes", "weights": "random"}
    model, method = create(OPT, sizes), create(Lora, {"targets": targets})
    method.apply(model.build())
    assert (method.share(model.shape()) is not None) == known


def test_targets_that_the_model_does_not_have_are_refused_with_those_that_it_has() -> None:
    with pytest.raises(PluginError, match="finds no linear layer 'c_attn' in OPTForCausalLM, which has k_proj, v_proj"):
        applied("opt", targets=["q_proj", "c_attn"])


def test_a_family_that_peft_does_not_know_gets_all_linear_layers() -> None:
    network = tiny("opt")
    network.config.model_type = "unheard-of"
    adapted = create(Lora, {}).apply(network)
    assert {name.split(".")[-2] for name, module in adapted.named_modules() if name.endswith(".lora_A")} == {
        "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2",
    }  # fmt: skip
