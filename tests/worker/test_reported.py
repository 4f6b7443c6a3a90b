"""What a recipe may report of a step."""

import math

import numpy as np
import pytest

from benchspec.worker.reported import check

COUNTS = {"rows": 2, "tokens": 20, "padded_tokens": 24, "loss_tokens": 10}


def test_a_step_as_it_should_be():
    check("mine", COUNTS, {"loss": 1.5, "grad_norm": 2}, {})
    check("mine", dict.fromkeys(COUNTS, 0), {"loss": math.nan}, {"block_tokens": 0})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rows", 2.0, "rows as 2.0, a float; give a plain integer, such as int(rows)"),
        ("rows", math.nan, "rows as nan, a float"),
        ("rows", True, "rows as True, a bool"),
        ("rows", None, "rows as None, a NoneType"),
        ("tokens", np.int64(20), "tokens as 20, a int64"),
        ("loss_tokens", -1, "loss_tokens as -1; a count is at least 0"),
        ("loss_tokens", 21, "21 loss_tokens of 20 tokens; loss_tokens are a part of tokens"),
        ("padded_tokens", 19, "20 tokens of 19 padded_tokens; tokens are a part of padded_tokens"),
    ],
)
def test_a_count_that_cannot_be_is_named_with_its_recipe(name, value, said):
    with pytest.raises((TypeError, ValueError)) as raised:
        check("mine", {**COUNTS, name: value}, {"loss": 1.5}, {})
    assert str(raised.value).startswith(f"job.step: the recipe 'mine' reports {said}")


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [True, "1.5", np.float32(1.5), [1.5]], ids=["bool", "text", "numpy", "list"])
def test_a_loss_is_a_plain_number(name, value):
    with pytest.raises(TypeError, match=rf"the recipe 'mine' reports {name} as .*such as float\({name}\)"):
        check("mine", COUNTS, {"loss": 1.5, name: value}, {})


def test_a_loss_of_none_is_none():
    with pytest.raises(TypeError, match="loss as None, a NoneType"):
        check("mine", COUNTS, {"loss": None}, {})


@pytest.mark.parametrize(
    ("computed", "said"),
    [
        ({"head_tokens": 25}, "25 head_tokens of 24 padded_tokens; head_tokens are a part of them"),
        ({"block_tokens": 1.5}, "block_tokens as 1.5, a float"),
    ],
)
def test_no_more_can_have_been_computed_than_there_is(computed, said):
    with pytest.raises((TypeError, ValueError), match=said):
        check("mine", COUNTS, {"loss": 1.5}, computed)
