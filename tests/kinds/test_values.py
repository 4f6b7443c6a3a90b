"""The plain values that plugins and the core exchange."""

from dataclasses import replace

import numpy as np
import pytest

from benchspec import Fact, Facts, Row, Shape, Share
from benchspec.kinds.values import flops_per_token

OPT_125M = Shape(
    layers=12,
    hidden=768,
    heads=12,
    ffn=3072,
    vocabulary=50272,
    positions=2048,
    tied_head=True,
    parameters=125_239_296,
    lookup_parameters=2050 * 768,
)


def test_a_row_is_an_instruction_an_input_and_an_output():
    assert Row("Add them", "2 and 3", "5")._asdict() == {"instruction": "Add them", "input": "2 and 3", "output": "5"}


def test_parameters_that_are_only_looked_up_are_not_multiplied():
    assert OPT_125M.multiplied == 125_239_296 - 2050 * 768


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parameters": 1000}, "lookup_parameters 1574400, of 1000 parameters"),
        ({"active_parameters": 9}, "lookup_parameters 1574400, active_parameters 9, of 125239296 parameters"),
        ({"block_parameters": 10**9}, "block_parameters 1000000000, of 125239296 parameters"),
        ({"layers": 0}, "layers is 0"),
        ({"layers": None}, "layers is None"),
        ({"hidden": 768.0, "heads": -1}, "hidden is 768.0; heads is -1"),
        ({"positions": "4", "query_width": -1}, "positions is '4'; query_width is -1"),
    ],
)
def test_a_shape_that_no_network_has_is_refused(change, reason):
    with pytest.raises(ValueError, match=f"no network has such a Shape: .*{reason}"):
        replace(OPT_125M, **change)


def test_a_shape_is_of_plain_integers_and_of_none_that_are_absurd():
    assert type(replace(OPT_125M, layers=np.int64(12)).layers) is int
    with pytest.raises(ValueError, match="parameters is"):
        replace(OPT_125M, parameters=10**4000)


def test_what_is_not_known_of_a_machine_is_none():
    facts = Facts(accelerator=None, accelerators=0)
    assert (facts.memory, facts.memory_bandwidth, facts.link_bandwidth, facts.price_per_hour) == (None,) * 4
    assert facts.peak == {}
    assert Facts(accelerator="A", accelerators=1, peak={"bf16": Fact(1e15, "a page")}).peak["bf16"].value == 1e15


def flops(share, length=512.0):
    shape = {name: getattr(OPT_125M, name) for name in ("parameters", "lookup_parameters", "layers", "hidden")}
    return flops_per_token(shape, share._asdict(), length)


def test_full_fine_tuning_takes_6_flops_a_parameter_and_12_for_attention():
    whole = Share(OPT_125M.multiplied, OPT_125M.multiplied, OPT_125M.layers)
    assert flops(whole) == 6 * OPT_125M.multiplied + 12 * 12 * 768 * 512


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (Share(0, 0, 0), 2 * OPT_125M.multiplied + 4 * 12 * 768 * 512),
        (Share(0, OPT_125M.multiplied, 12), 4 * OPT_125M.multiplied + 12 * 12 * 768 * 512),
        (Share(1000, 2000, 3), 2 * (OPT_125M.multiplied + 3000) + (4 * 12 + 8 * 3) * 768 * 512),
    ],
)
def test_what_does_not_learn_costs_less(share, expected):
    assert flops(share) == expected
