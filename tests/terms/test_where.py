"""Dotted paths into a case's fields."""

import pytest

from benchspec.terms.where import lookup, matches

FIELDS = {
    "model": {"name": "opt-6.7b", "layers": 32},
    "dataset": {"name": "resampled", "of": {"name": "alpaca"}, "rows": 10},
    "limits": {"timeout": 900, "stall": "1 min"},
}


@pytest.mark.parametrize(
    ("where", "agrees"),
    [
        ({}, True),
        ({"model": "opt-6.7b"}, True),
        ({"model": "opt-13b"}, False),
        ({"model": {"name": "opt-6.7b", "layers": 32}}, True),
        ({"model": {"name": "opt-6.7b"}}, True),
        ({"model": {"name": "opt-6.7b", "layers": 2}}, False),
        ({"model.layers": 32, "dataset.rows": 10}, True),
        ({"model.layers": 32, "dataset.rows": 11}, False),
        ({"dataset.of": "alpaca"}, True),
        ({"dataset.none": 1}, False),
        ({"model": "benchspec:opt-6.7b"}, True),
        ({"model": "acme:opt-6.7b"}, False),
        ({"limits.timeout": "15 min"}, True),
        ({"limits.timeout": "16 min"}, False),
        ({"dataset.rows": "10"}, False),
        ({"limits.stall": 60}, True),
        ({"limits.stall": "60 s"}, False),
    ],
)
def test_fields_match_where_every_path_has_the_value(where, agrees):
    assert matches(where, FIELDS) is agrees


def test_a_path_is_looked_up_step_by_step():
    assert lookup(FIELDS, "dataset.of.name") == "alpaca"
    assert lookup(FIELDS, "dataset.rows.name") is None
    assert lookup(FIELDS, "recipe") is None
