"""run.json: what was asked for, and the machine that it was measured on."""

import json
from pathlib import Path

import pytest

from benchspec import run
from benchspec.terms.errors import BenchspecError


def test_a_broken_run_json_is_said_in_a_line(scripted):
    run(scripted("ok"))
    Path("runs/demo/run.json").write_text("{")
    with pytest.raises(BenchspecError, match=r"run\.json: error: not JSON"):
        run(scripted("ok"))


def test_a_lost_run_json_is_written_again(scripted):
    run(scripted("ok"))
    Path("runs/demo/run.json").unlink()
    assert run(scripted("ok")).name == "demo"


def test_a_finished_run_keeps_the_machine_that_it_was_measured_on(scripted):
    run(scripted("ok"))
    file = Path("runs/demo/run.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine_line": "8 × H100"}))
    assert run(scripted("ok")).run["machine_line"] == "8 × H100"
