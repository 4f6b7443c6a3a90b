"""A matrix -> its combinations of values."""

import json
import random
import time
from itertools import product
from pathlib import Path

import pytest
from small import SMALL, mistakes

from benchspec import SpecError
from benchspec.cases.matrix import combinations
from benchspec.spec.document import bare
from benchspec.spec.yaml12 import parse
from benchspec.terms.where import agrees


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


def test_a_section_in_include_is_its_parts_where_an_axis_lies_within_it():
    text = "{train.seed: [1, 2], include: [{train: {seed: 1, epochs: 2}}, {train: {seed: 3}}]}"
    assert combined(text) == [{"train.seed": 1, "train.epochs": 2}, {"train.seed": 2}, {"train.seed": 3}]


@pytest.mark.parametrize(
    ("axis", "excluded"),
    [("[60, 2 h]", "1 min"), ("[1 min, 2 h]", "60"), ("[1 min, 2 h]", "60.0"), ("[a, 2 h]", "{name: a}")],
)
def test_exclude_matches_what_is_written_otherwise(axis, excluded):
    assert combined(f"{{a: {axis}, exclude: [{{a: {excluded}}}]}}") == [{"a": "2 h"}]


def test_a_plugin_in_include_that_is_an_axis_itself_stays_whole():
    text = "{model: [{name: a}, {name: b}], model.layers: [1], include: [{model: {name: a, layers: 1}, x: 2}]}"
    assert [found.get("x") for found in combined(text)] == [None, None, 2]


def test_two_texts_are_the_same_only_as_they_are_written():
    assert combined("{a: [1d, 24h, 86400], exclude: [{a: 1d}]}") == [{"a": "24h"}]


def test_a_plugin_in_include_meets_the_axes_of_its_options():
    text = "{model.layers: [1, 2], include: [{model: {name: m, layers: 1, hidden: 8}}]}"
    assert combined(text) == [{"model.layers": 1, "model.name": "m", "model.hidden": 8}, {"model.layers": 2}]


def test_true_excludes_no_1():
    assert combined("{a: [1, 2], exclude: [{a: true}]}") == [{"a": 1}, {"a": 2}]
    assert combined("{a: [true, false], exclude: [{a: 1}]}") == [{"a": True}, {"a": False}]


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


def test_exclude_and_include_agree_with_their_plain_definition():
    """Against every combination compared with every entry, for random small matrices."""
    draw = random.Random(1)
    values = [1, 2.0, True, None, "x", "1", {"name": "x"}, {"name": "x", "n": 1}, {"n": 1}, {}, [1], [], "benchspec:x"]
    for _ in range(300):
        grid = {f"a{n}": draw.choices(values, k=draw.randint(1, 4)) for n in range(draw.randint(1, 3))}
        exclude, include = (
            [{path: draw.choice(values) for path in draw.sample(list(grid), draw.randint(1, len(grid)))} for _ in "123"]
            for _ in range(2)
        )
        left = [one for one in map(dict, combined_of(grid)) if not any(matching(one, entry) for entry in exclude)]
        wanted = [dict(one) for one in left]
        for entry in include:
            hit = [index for index, one in enumerate(left) if matching(one, entry)]
            for index in hit:
                wanted[index] |= entry
            wanted += [] if hit else [entry]
        assert combined(json.dumps({**grid, "exclude": exclude, "include": include})) == wanted


def combined_of(grid):
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def matching(combination, entry):
    return all(agrees(combination[path], value) for path, value in entry.items())


def test_a_long_exclude_takes_time_in_proportion_and_the_limit_counts_what_is_left():
    numbers = list(range(141))
    entries = [{"a": one, "b": other} for one in numbers for other in numbers if other != one]
    matrix = bare({"a": numbers, "b": numbers, "exclude": entries})
    started = time.process_time()
    found = combinations(matrix)
    assert time.process_time() - started < 5
    assert len(entries) == 19_740 and [one["a"].value for one in found] == numbers


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"a": list(range(2001))}, "2,001 combinations; at most 2,000 are allowed: split the experiment into several"),
        ({"a": list(range(2001)), "exclude": [{"a": 5000}]}, "the matrix has 2,001 combinations; at most 2,000"),
        (
            {"a": list(range(20_001)), "exclude": [{"a": 1}]},
            "20,001 combinations; at most 20,000 are allowed before exclude, and 2,000 after it: split",
        ),
        ({"a": list(range(2000)), "include": [{"a": -1}]}, "the matrix has 2,001 combinations"),
    ],
)
def test_too_many_cases_are_refused(matrix, message):
    with pytest.raises(SpecError, match=message):
        combined(json.dumps(matrix))


def test_a_matrix_within_its_limit_after_exclude_is_allowed():
    assert len(combined(json.dumps({"a": list(range(2001)), "exclude": [{"a": 5}]}))) == 2000
