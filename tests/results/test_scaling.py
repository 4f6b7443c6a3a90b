"""Parallel efficiency."""

import pytest
from example_results import result

from benchspec.results.scaling import efficiencies


def case(id, processes, rate, **axes):
    metrics = {} if rate is None else {"rows_per_second": rate}
    return result(
        case=id, metrics=metrics, axes={"launcher.nodes": processes // 8, **axes}, record={"processes": processes}
    )


def test_it_is_the_rate_of_a_process_beside_that_of_the_fewest():
    found = efficiencies([case("a", 16, 190.0), case("b", 8, 100.0), case("c", 64, 640.0)])
    assert found == {"a": pytest.approx(0.95), "b": 1.0, "c": pytest.approx(0.8)}


def test_cases_that_differ_in_something_else_are_groups_of_their_own():
    cases = [
        case(f"{model}{n}", n, rate, model=model) for model, n, rate in (("x", 8, 10.0), ("x", 16, 10.0), ("y", 8, 1.0))
    ]
    assert efficiencies(cases) == {"x8": 1.0, "x16": 0.5}


def test_strong_scaling_keeps_the_rows_of_a_step():
    key = "train.gradient_accumulation"
    assert efficiencies([case("a", 8, 10.0, **{key: 8}), case("b", 16, 15.0, **{key: 4})]) == {"a": 1.0, "b": 0.75}


def test_a_batch_size_that_varies_by_itself_is_a_group_of_its_own():
    key = "train.batch_size"
    cases = [case(f"{n}-{batch}", n, rate * n, **{key: batch}) for n in (8, 16) for batch, rate in ((4, 5.0), (8, 9.0))]
    assert efficiencies(cases) == {"8-4": 1.0, "16-4": 1.0, "8-8": 1.0, "16-8": 1.0}


def test_what_was_not_measured_or_does_not_vary_has_none():
    assert efficiencies([case("a", 8, 10.0), case("b", 8, 11.0)]) == {}
    assert efficiencies([case("a", 8, None), case("b", 16, 11.0)]) == {}
    assert efficiencies([result(record={})]) == {}
