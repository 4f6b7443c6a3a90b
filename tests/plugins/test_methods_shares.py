"""What each method's share says a step costs, against torch's own count of the operations of one."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from drive_backend import create, registered

from benchspec.kinds.values import flops_computed, flops_per_token
from benchspec_plugins.models.bloom import Bloom
from benchspec_plugins.models.gpt_j import GPTJ
from benchspec_plugins.models.opt import OPT

METHODS = {
    "full": {},
    "frozen": {"blocks": 2},
    "lora": {"rank": 8},
    "adapter": {"size": 16},
}
MODELS = {"opt": OPT, "gpt-j": GPTJ, "bloom": Bloom}
TOKENS, ROWS = 32, 2


def counted(network) -> int:
    """Floating-point operations of a forward and backward pass, a multiplication and an addition counting two."""
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.zeros(ROWS, TOKENS, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        network(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    return counter.get_total_flops()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", MODELS)
def test_the_share_says_what_a_step_costs(family: str, method: str) -> None:
    sizes = {"layers": 3, "hidden": 128, "heads": 4, "tokenizer": "bytes", "weights": "random", "dropout": 0.0}
    model = create(MODELS[family], sizes)
    plugin = create(registered(f"benchspec_plugins.methods.{method}"), METHODS[method])
    network = model.build()
    network.set_attn_implementation("eager")
    network = plugin.apply(network).train()
    shape = model.shape()
    expected = ROWS * TOKENS * flops_per_token(shape.to_json(), plugin.share(shape)._asdict(), TOKENS)
    assert counted(network) == pytest.approx(expected, rel=0.02)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    if method != "full":  # a share leaves out what is only looked up
        assert plugin.share(shape).learning == pytest.approx(trained, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "frozen", "lora"])
def test_the_blocks_that_are_computed_again_count(method: str) -> None:
    sizes = {"layers": 3, "hidden": 128, "heads": 4, "tokenizer": "bytes", "weights": "random", "dropout": 0.0}
    model = create(OPT, sizes)
    plugin = create(registered(f"benchspec_plugins.methods.{method}"), METHODS[method])
    network = model.build()
    network.set_attn_implementation("eager")
    network = plugin.apply(network).train()
    network.gradient_checkpointing_enable({"use_reentrant": False})
    shape, count = model.shape(), ROWS * TOKENS
    expected = flops_computed(shape.to_json(), plugin.share(shape)._asdict(), TOKENS, count, count, blocks_again=True)
    assert counted(network) == pytest.approx(expected, rel=0.02)
