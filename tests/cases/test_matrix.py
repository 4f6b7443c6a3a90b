"""A matrix -> its combinations of values."""

from pathlib import Path

import pytest
from small import SMALL, mistakes

from benchspec.cases.matrix import combinations
from benchspec.spec.yaml12 import parse


def combined(text):
    return [
        {path: node.plain() for path, node in found.items()} for found in combinations(parse(text, "m.yaml", Path()))
    ]


def test_a_matrix_is_all_combinations_in_order():
    assert combined("{a: [1, 2], b: [x, y]}") == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_exclude_drops_combinations_that_match_all_of_its_values():
    assert combined("{a: [1, 2], b: [x, y], exclude: [{a: 1, b: y}, {a: 2}]}") == [{"a": 1, "b": "x"}]


def test_include_extends_matching_combinations_or_adds_one():
    """The example of GitHub's own documentation, in small."""
    text = """
    fruit: [apple, pear]
    animal: [cat, dog]
    include:
      - {color: green}
      - {color: pink, animal: cat}
      - {fruit: apple, shape: circle}
      - {fruit: banana}
      - {fruit: banana, animal: cat}
    """
    assert combined(text) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_a_matrix_may_have_only_includes():
    assert combined("{include: [{a: 1}, {a: 2, b: 3}]}") == [{"a": 1}, {"a": 2, "b": 3}]


def test_exclude_matches_a_plugin_mapping_by_name():
    assert combined("{m: [{name: opt, layers: 2}, bloom], exclude: [{m: opt}]}") == [{"m": "bloom"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "    matrix: {train.seed: [1], exclude: [{train.seed: 1}]}\n",
            "the matrix is empty: everything is excluded",
        ),
        (
            SMALL + "    matrix: {train.seed: [1], exclude: [{seed: 1}]}\n",
            "'seed' is not an axis of this matrix (train.seed)",
        ),
    ],
)
def test_a_mistake_is_one_line_with_place_and_reason(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1
