"""The method `full`."""

import pytest

from benchspec_plugins.methods.full import Full

torch = pytest.importorskip("torch")


def test_every_parameter_is_trained() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3)).requires_grad_(False)
    applied = Full({}).apply(network)
    assert applied is network
    assert [parameter.requires_grad for parameter in applied.parameters()] == [True] * 4


def test_it_has_no_options() -> None:
    assert not Full.options_schema.get("properties")
