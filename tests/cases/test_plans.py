"""The cases of a spec as `benchspec plan` shows them."""

import json
import re

import pytest
from commands import called
from plugged import beside
from small import HEAD

from benchspec import Model, load, run
from benchspec.cases.case import launches
from benchspec.cases.expand import expand
from benchspec.cases.needs import needed
from benchspec.cases.plans import as_table, planned
from benchspec.terms.fitting import UNLIMITED


def row(cases, tmp_path, fields, *sets, registry=None):
    """The only case's row of the table: heading -> cell."""
    registry = registry or beside()
    cases(fields, *sets, registry=registry)
    spec = load(tmp_path / "spec.yaml", sets, registry)
    expansion = expand(spec)
    plans = planned(needed(spec, expansion), expansion.cases, [], launches(expansion.cases))
    head, line, row, *_ = as_table(plans, None, UNLIMITED, {}).splitlines()
    ends = [start + len(dashes) for start, dashes in starts(line)]
    begins = [start for start, _ in starts(line)]
    return {head[a:b].strip(): row[a:b].strip() for a, b in zip(begins, ends, strict=True)}


def starts(line):
    return [(match.start(), match.group()) for match in re.finditer("-+", line)]


def test_the_table_shows_the_same_figures_as_text(cases, tmp_path):
    fields = "model: opt-6.7b\ndataset: {name: resampled, of: alpaca, rows: 10_000}\nlimits: {timeout: 6 h}"
    found = row(cases, tmp_path, fields, "hardware=xe9680-h100")
    assert found.pop("case").startswith("one/opt-6.7b-")
    assert found == {
        "parameters": "6.66 G",
        "state": "99.2 GiB",
        "dataset": "resampled, 10,000 rows",
        "backend": "fsdp",
        "processes": "8",
        "rows/step": "256",
        "length": "3 epochs",
        "timeout": "6 h",
    }


class Unknown(Model):
    name = "unknown"


def test_the_table_marks_unknown_figures(cases, tmp_path):
    fields = "model: unknown\ndataset: alpaca\ntrain: {max_steps: 7}"
    found = row(cases, tmp_path, fields, registry=beside(Unknown))
    assert (found["parameters"], found["state"], found["dataset"]) == ("?", "?", "alpaca")
    assert (found["length"], found["timeout"]) == ("7 steps", "none")


MANY = """\
dataset: {name: resampled, of: alpaca, rows: 10_000}
matrix:
  model: [opt-1.3b, opt-6.7b]
  dataset.rows: [10_000, 10_000_000]
"""


def many(write, width, fields=MANY):
    """The table of an experiment's cases."""
    spec = load(write(HEAD + "".join(f"    {line}\n" for line in fields.splitlines())), ["hardware=xe9680-h100"])
    expansion = expand(spec)
    return as_table(
        planned(needed(spec, expansion), expansion.cases, [], launches(expansion.cases)), None, width, {}
    ), expansion.cases


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_fits_the_terminal_and_tears_no_case(write, width):
    text, cases = many(write, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(case.id in text for case in cases)
    assert "All cases: backend fsdp, processes 8, rows/step 256, length 3 epochs" in text.replace("\n", " ")


def test_a_wide_terminal_shows_every_column_of_every_case(write):
    text, cases = many(write, 200)
    assert "All cases" not in text and text.count("fsdp") == text.count("3 epochs") == len(cases) == 4


def test_cases_that_are_all_alike_keep_their_names(write):
    text, cases = many(write, 40, "matrix: {train.seed: [1, 2]}\nmodel: opt-tiny")
    assert all(case.id in text for case in cases)


def test_plan_shows_what_is_done_already_and_what_only_selects(scripted, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")
    run(scripted("ok", "crash", "oom"))
    scripted("ok", "crash", "oom", "mistake")
    assert called(monkeypatch, "plan", "demo.yaml") == 0
    text = capsys.readouterr().out
    results = [" ".join(line.split()[-3:]) for line in text.splitlines()[2:6]]
    assert [line.rsplit("none ", 1)[1] for line in results[:1]] == ["ok"]
    assert "crash; runs again" in text and "none yet" in text
    assert "4 cases; 2 done in runs/demo, 2 to run." in text

    assert called(monkeypatch, "plan", "demo.yaml", "--only", "crash", "--only", "oom", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(case["axes"]["launcher.end"], case["outcome"], case["done"]) for case in found] == [
        ("crash", "crash", False),
        ("oom", "oom", True),
    ]
    assert found[0]["needs"]["processes"] == 1

    assert called(monkeypatch, "plan", "demo.yaml", "--out", "elsewhere") == 0
    assert "4 cases. state:" in capsys.readouterr().out
    assert called(monkeypatch, "plan", "demo.yaml", "--only", "nothing") == 3
    assert not (tmp_path / "elsewhere").exists()
