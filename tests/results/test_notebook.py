"""Results as a notebook shows them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from example_results import oom, result, results

HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(1)> & \x1b]52;c;aa\x07 \u202e"


class Table(HTMLParser):
    """The cells of a table, by row; and the elements of the page."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.elements = [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def table(shown):
    return Table(shown._repr_html_()).rows


def test_results_are_a_table_headed_by_the_names_that_rows_have():
    metrics = {"train_runtime": 841.7, "peak_memory_allocated": 43_486_543_872, "cost": 2.5, "first_loss": 2.0}
    found = results(result(metrics=metrics, currency="USD"), oom(axes={"model": "opt-30b", "train.tf32": True}))
    assert table(found) == [
        ["case", "model", "train.tf32", "outcome", "train_runtime (s)", "peak_memory_allocated (bytes)", "cost (USD)"],
        ["opt-6.7b-1f9c2a", "opt-6.7b", "", "ok", "841.7", "43,486,543,872", "2.5"],
        ["opt-30b-1f9c2a", "opt-30b", "True", "oom", "", "", ""],
    ]
    assert "2 cases: 1 ok, 1 oom" in found._repr_html_()


def test_several_experiments_are_told_apart():
    assert table(results(result(), result(experiment="rows")))[2][:2] == ["rows", "opt-6.7b-1f9c2a"]


def test_a_result_has_a_row_for_each_metric_with_its_unit():
    assert table(result(metrics={"mfu": 0.1042, "first_loss": 2.0})) == [
        ["sizes/opt-6.7b-1f9c2a", "", "unit"],
        ["model", "opt-6.7b", ""],
        ["outcome", "ok", ""],
        ["mfu", "0.1042", "fraction"],
        ["first_loss", "2", "nats/token"],
    ]
    assert table(oom())[2:] == [
        ["outcome", "oom", ""],
        ["phase", "first-step", ""],
        ["rank", "3", ""],
        ["reason", "CUDA out of memory. Tried to allocate 2 GiB", ""],
    ]


def test_no_results_are_a_sentence():
    assert "0 of 0 cases" in results()._repr_html_()


@pytest.mark.parametrize("shown", [lambda results: results, lambda results: results[0]], ids=["results", "result"])
def test_no_text_is_taken_for_html(shown):
    hostile = oom(case=HOSTILE, experiment=HOSTILE, axes={HOSTILE: HOSTILE}, reason=HOSTILE, phase=HOSTILE)
    text = shown(results(hostile, name=HOSTILE))._repr_html_()
    assert Table(text).elements <= {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;script&gt;" in text
    assert text.replace("\n", "").isprintable() and re.search(r"\\x1b\]52;c;aa\\x07", text)
