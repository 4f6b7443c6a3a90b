"""The search for the largest batch that fits."""

from __future__ import annotations

import pytest
from small import mistakes

from benchspec.cases.search import next_size

SIZES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 48]


def tried(limit, sizes=SIZES):
    """The sizes that a search tries where no more than `limit` rows fit, in their order."""
    fits = {}
    while (size := next_size(sizes, fits)) is not None:
        fits[size] = size <= limit
    return list(fits)


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (100, [1, 2, 4, 8, 16, 48]),
        (47, [1, 2, 4, 8, 16, 48, 24]),
        (20, [1, 2, 4, 8, 16, 48, 24]),
        (5, [1, 2, 4, 8, 6]),
        (3, [1, 2, 4, 3]),
        (0, [1]),
    ],
)
def test_sizes_double_while_they_fit_and_then_lie_between(limit, sizes):
    assert tried(limit) == sizes


@pytest.mark.parametrize("limit", range(50))
def test_the_largest_that_fits_and_the_next_one_are_tried(limit):
    found = tried(limit)
    fitting = [size for size in SIZES if size <= limit]
    if fitting:
        assert fitting[-1] in found
    if len(fitting) < len(SIZES):
        assert SIZES[len(fitting)] in found


SEARCH = """measure: {search: train.batch_size}
train: {batch_size: 4, gradient_accumulation: 3}
"""


def test_a_search_is_a_case_for_each_size_that_keeps_the_rows_of_a_step(cases):
    found = cases(SEARCH)
    assert [case.train["batch_size"] for case in found] == [1, 2, 3, 4, 6, 12]
    assert {case.train["batch_size"] * case.train["gradient_accumulation"] for case in found} == {12}
    assert {case.train["max_steps"] for case in found} == {12}
    assert found[1].axes == {"train.batch_size": 2}
    assert {case.expected for case in found} == {("ok", "oom", "host-oom", "skipped")}
    assert len({case.id for case in found}) == 6


def test_a_trial_has_as_many_steps_as_the_spec_says(cases):
    assert {case.train["max_steps"] for case in cases(SEARCH.replace("{batch", "{max_steps: 30, batch"))} == {30}


def test_another_axis_of_batch_sizes_beside_a_search_is_a_mistake(write):
    text = """
    benchspec: 1
    name: x
    experiments:
      one:
        model: opt-tiny
        dataset: synthetic
        measure: {search: train.batch_size}
        matrix: {train.batch_size: [2, 4]}
    """
    (line,) = mistakes(write(text))
    assert "measure.search tries sizes of train.batch_size by itself: remove the axis" in line
