"""Profiles, through the command line."""

from __future__ import annotations

import json
import sys

import pytest
from conftest import benchspec

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

SPEC = f"""
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {{name: synthetic, rows: 16}}
  recipe: loop
  launcher: {{name: torchrun, processes: 1, warm: {str(sys.platform == "linux").lower()}}}
  train: {{epochs: 1, gradient_accumulation: 2, precision: fp32, max_length: 768, save: {{final: true}}}}
report: [html]
experiments:
  one: {{matrix: {{train.batch_size: [1, 4]}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    (folder / "demo.yaml").write_text(SPEC)
    done = benchspec("run", "demo.yaml", "--profile", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs/demo", done.stderr


def test_each_case_has_a_profile_beside_its_attempts(run):
    profiles = sorted(run[0].glob("cases/one/*/profile"))
    assert len(profiles) == 2
    for folder in profiles:
        names = {file.name for file in folder.iterdir()}
        assert {"trace-0.json.gz", "profile-0.json"} <= names and "final" not in names
    assert "profile 2 of 2" in run[1]


def test_a_profile_is_no_result_and_changes_none(run):
    lines = [json.loads(line) for line in (run[0] / "results.jsonl").read_text().splitlines()]
    assert [line["metrics"]["steps"] for line in lines] == [8, 2]
    assert {line["attempt"] for line in lines} == {"1"}


def test_the_page_says_where_the_time_went(run):
    page = (run[0] / "report.html").read_text()
    assert page.count("<h4>Where the time went</h4>") == 2 and "aten::mm" in page
