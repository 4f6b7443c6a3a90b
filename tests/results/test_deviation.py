"""A measured number beside a published one."""

import pytest

from benchspec.results.deviation import agrees, beside, words


@pytest.mark.parametrize(
    ("metric", "measured", "published", "said"),
    [
        ("train_runtime", 300.0, 930.0, "3.1× faster"),
        ("train_runtime", 1200.0, 1000.0, "1.2× slower"),
        ("rows_per_second", 50.0, 100.0, "2× slower"),
        ("peak_memory_allocated", 112.0, 100.0, "12% more memory"),
        ("final_loss", 0.9, 1.0, "10% lower"),
        ("parameters", 0, 1, "less"),
    ],
)
def test_a_difference_in_the_metrics_own_words(metric, measured, published, said):
    assert words(metric, measured, published) == said


@pytest.mark.parametrize(
    ("kind", "published", "measured", "verdict", "ratio"),
    [
        ("value", 100.0, 109.0, "reproduced", 1.09),
        ("value", 100.0, 50.0, "better", 0.5),
        ("below", 100.0, 100.0, "worse", None),
        ("above", 100.0, 101.0, "reproduced", None),
        ("between", [100.0, 200.0], 50.0, "better", None),
        ("between", [100.0, 200.0], 250.0, "worse", None),
    ],
)
def test_a_time_beside_what_was_published(kind, published, measured, verdict, ratio):
    statement = {"kind": kind, "published": published, "metric": "train_runtime", "tolerance": 0.1}
    assert (beside(statement, measured)[0], beside(statement, measured)[2]) == (verdict, ratio)


def test_a_metric_agrees_with_a_condition_within_half_a_percent():
    assert agrees(52_002, 52_000) and not agrees(52_002, 51_000)
    assert agrees(None, None) and not agrees(None, 1) and not agrees(1, None)
