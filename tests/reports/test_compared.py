"""A comparison as text."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from benchspec.reports import compared
from benchspec.results.comparing.comparison import Comparison, Pair

WORSE = Pair(
    "sizes",
    {"model": "opt-6.7b", "dataset.rows": 10_000},
    "worse",
    ["code of benchspec: commit aaaaaaa in base, commit bbbbbbb in head"],
    (5, 5),
    ([100.0] * 5, [95.0] * 5),
    0.95,
    (0.932, 0.968),
)
NEW = Pair("sizes", {"model": "a|b\x1b[31m"}, "not comparable", ["only in head"], (0, 5))


def comparison(*pairs):
    return Comparison("runs/main", "runs/mine", "rows_per_second", 0.02, pairs)


@pytest.mark.parametrize(
    ("ratio", "interval", "text"),
    [
        (0.95, (0.932, 0.968), "-5.0% (-6.8% to -3.2%)"),
        (1.004, None, "+0.4%"),
        (3.1, (2.9, 3.31), "3.10× (2.90× to 3.31×)"),
        (None, None, "–"),
        (0.6, (1e-9, 7e9), "-40.0% (under 1/100 to over 100×)"),
    ],
)
def test_a_change_in_words(ratio, interval, text):
    assert compared.change_text(Pair("one", {}, "same", ratio=ratio, interval=interval)) == text


def test_a_table_has_a_row_a_case_and_the_reasons_below():
    lines = compared.as_table(comparison(WORSE, NEW)).splitlines()
    assert lines[:4] == [
        "rows/s: 1 worse, 1 not comparable (a change by up to 2% is none)",
        "base runs/main",
        "head runs/mine",
        "geometric means of launches, intervals of 99.5% over all cases",
    ]
    assert "sizes: model opt-6.7b, rows 10,000  worse" in lines[7]
    assert lines[-1] == r"sizes: model a|b\x1b[31m: only in head"


def test_a_reason_of_every_case_is_said_once():
    text = compared.as_table(comparison(WORSE, WORSE))
    assert text.count("code of benchspec") == 1 and "every case: code of benchspec" in text


def test_markdown_shows_names_as_they_are():
    text = compared.as_markdown(comparison(WORSE, NEW))
    assert text.startswith("**rows/s: 1 worse, 1 not comparable (a change by up to 2% is none)**\n")
    assert r"sizes: model a\|b" in text and "\x1b" not in text


def test_json_has_these_keys():
    found = json.loads(compared.as_json(comparison(WORSE, NEW)))
    cases = found.pop("cases")
    assert found == {
        "base": "runs/main",
        "head": "runs/mine",
        "metric": "rows_per_second",
        "threshold": 0.02,
        "verdict": "worse",
    }
    assert cases[0] == {
        "experiment": "sizes",
        "axes": {"model": "opt-6.7b", "dataset.rows": 10_000},
        "verdict": "worse",
        "ratio": 0.95,
        "interval": [0.932, 0.968],
        "launches": [5, 5],
        "reasons": WORSE.reasons,
    }
    assert (cases[1]["ratio"], cases[1]["interval"]) == (None, None)


def test_junit_has_a_test_a_case():
    suite = ElementTree.fromstring(compared.as_junit(comparison(WORSE, NEW)))
    assert suite.attrib == {
        "name": "benchspec compare rows_per_second",
        "tests": "2",
        "failures": "1",
        "skipped": "1",
    }
    worse, new = suite
    assert worse.attrib == {"classname": "sizes", "name": "sizes: model opt-6.7b, rows 10,000"}
    assert worse.find("failure").get("message") == "worse: -5.0% (-6.8% to -3.2%)"
    assert "only in head" in new.find("skipped").text
