"""The table of metrics, and the pages and schemas that repeat it."""

from pathlib import Path

from benchspec.terms import schemas
from benchspec.terms.metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_metric_is_stated_in_full():
    for id, metric in METRICS.items():
        assert metric.id == id
        assert metric.unit and metric.label and metric.formula.endswith(".")
        assert metric.direction in ("lower", "higher", None)


def test_the_result_schema_knows_the_same_metrics():
    assert schemas.load("result")["$defs"]["metric"]["enum"] == list(METRICS)


def test_the_page_has_the_same_table():
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert table == [
        f"| `{metric.id}` | {metric.unit} | {metric.direction or ''} | {metric.formula} |"
        for metric in METRICS.values()
    ]


def test_faster_is_better():
    assert METRICS["train_runtime"].direction == "lower"
    assert METRICS["tokens_per_second"].direction == "higher"
    assert METRICS["parameters"].direction is None
