"""The method `frozen`."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from drive_backend import FAMILIES, tiny

from benchspec import PluginError
from benchspec_plugins.methods.frozen import Frozen


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_block_and_the_final_norm_are_trained(family: str) -> None:
    network = Frozen({"blocks": 1}).apply(tiny(family))
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    block, norm = {
        "opt": ("model.decoder.layers.1.", "model.decoder.final_layer_norm."),
        "gpt-j": ("transformer.h.1.", "transformer.ln_f."),
        "bloom": ("transformer.h.1.", "transformer.ln_f."),
    }[family]
    assert trained == {name for name, _ in network.named_parameters() if name.startswith((block, norm))}


def test_more_blocks_than_there_are_is_refused_by_network_and_shape() -> None:
    method, words = Frozen({"blocks": 3}), "cannot train the last 3 blocks of a model with 2"
    with pytest.raises(PluginError, match=words):
        method.apply(tiny("opt"))


def test_a_plan_says_so_before_anything_runs(cases) -> None:
    from benchspec import SpecError

    with pytest.raises(SpecError, match="cannot train the last 9 blocks of a model with 2"):
        cases("model: opt-tiny\nmethod: {name: frozen, blocks: 9}")


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(PluginError, match="Linear has no list of blocks"):
        Frozen({"blocks": 1}).apply(torch.nn.Linear(2, 2))
