"""The cases of a search for the largest batch that fits."""

from __future__ import annotations

from small import mistakes

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


def test_more_sizes_than_anybody_tries_are_refused(write):
    text = """
    benchspec: 1
    name: x
    experiments:
      one:
        model: opt-tiny
        dataset: synthetic
        measure: {search: train.batch_size}
        train: {batch_size: 1000000007, gradient_accumulation: 3}
    """
    (line,) = mistakes(write(text))
    assert "batch_size × gradient_accumulation is 3,000,000,021; at most 1,000,000" in line
