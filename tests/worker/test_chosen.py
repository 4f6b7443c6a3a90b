"""What training really used is written down, and refused if the spec asks for something else."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from benchspec.worker.chosen import Optimizers, prove

PLAIN = {"optimizer": "adamw", "compile": False}


def stepped(kind=torch.optim.AdamW, **options):
    seen, layer = Optimizers(), torch.nn.Linear(2, 2)
    optimizer = kind(layer.parameters(), lr=0.1, **options)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return seen


def test_what_was_used_is_said() -> None:
    network = SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa"))
    assert prove(network, stepped(), PLAIN, {}) == {"attention": "sdpa", "optimizer": "AdamW", "compiled_graphs": None}


def test_a_network_without_a_configuration_and_a_recipe_without_torchs_optimizers() -> None:
    assert prove(object(), Optimizers(), PLAIN, {"optimizer": "adamw"}) == {
        "attention": None,
        "optimizer": None,
        "compiled_graphs": None,
    }


def test_a_recipe_may_have_an_optimizer_of_its_own_if_the_spec_names_none() -> None:
    assert prove(None, stepped(torch.optim.SGD), PLAIN, {})["optimizer"] == "SGD"


def test_another_optimizer_than_the_spec_names_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"trained with SGD, though train.optimizer is adamw"):
        prove(None, stepped(torch.optim.SGD), PLAIN, {"optimizer": "adamw"})


def test_kernels_that_are_not_fused_are_refused() -> None:
    train = {"optimizer": "adamw_fused", "compile": False}
    assert prove(None, stepped(fused=True), train, train)["optimizer"] == "AdamW"
    with pytest.raises(RuntimeError, match="kernels were not fused"):
        prove(None, stepped(), train, train)


def test_a_case_that_compiled_nothing_is_refused() -> None:
    torch._dynamo.utils.counters.clear()
    with pytest.raises(RuntimeError, match=r"no block was compiled, though train.compile is true"):
        prove(None, Optimizers(), PLAIN | {"compile": True}, {})
