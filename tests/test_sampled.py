"""Trainings that stop once their time is known, through the command line."""

from __future__ import annotations

import json
import math
import sys

import pytest
from conftest import benchspec

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.alone]

ROWS, STEP = 4000, 2
SPEC = f"""
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {{name: alpaca, path: rows.json}}
  launcher: {{name: torchrun, processes: 1, warm: {str(sys.platform == "linux").lower()}}}
  measure: {{mode: sampled, precision: 50%}}
  train:
    epochs: 1
    batch_size: {STEP}
    gradient_accumulation: 1
    precision: fp32
    max_length: 256
    learning_rate: 1e-3
experiments:
  one:
    matrix:
      recipe: [alpaca, loop, packed]
  several:
    train: {{save: {{every: 900, keep: 1}}}}
    matrix:
      include:
        - {{recipe: alpaca, backend: fsdp, launcher.processes: 2}}
        - {{recipe: alpaca, backend: {{name: deepspeed, stage: 2}}, launcher.processes: 2}}
        - {{recipe: loop, backend: ddp, launcher.processes: 2}}
        - {{recipe: packed, backend: fsdp, launcher.processes: 2}}
  enough:
    measure: {{precision: 0.01%}}
    train: {{max_steps: 40}}
    recipe: loop
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled")
    rows = [
        {"instruction": f"Say {number} {'again ' * (number % 7)}", "input": "", "output": str(number)}
        for number in range(ROWS)
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "demo.yaml").write_text(SPEC)
    done = benchspec("run", "demo.yaml", cwd=folder, env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return folder / "runs/demo", done.stdout


def results(run, experiment):
    lines = map(json.loads, (run[0] / "results.jsonl").read_text().splitlines())
    found = [result for result in lines if result["experiment"] == experiment]
    assert found
    return found


def attempt(run, result):
    return run[0] / "cases" / result["experiment"] / result["case"] / result["attempt"]


def events(run, result, rank=0):
    return list(map(json.loads, (attempt(run, result) / f"rank-{rank}.jsonl").read_text().splitlines()))


@pytest.mark.parametrize("experiment", ["one", "several"])
def test_a_training_stops_once_its_time_is_known_and_says_so(run, experiment):
    for result in results(run, experiment):
        metrics, planned = result["metrics"], ROWS // STEP // result["record"]["processes"]
        assert 30 <= metrics["steps"] < planned == metrics["planned_steps"]
        assert result["basis"] == {"train_runtime": "projected"}
        low, high = result["intervals"]["train_runtime"]
        assert 0 < low < metrics["train_runtime"] < high
        assert (high - low) / 2 <= 0.5 * metrics["train_runtime"]
        assert "rows_per_second" in metrics and result["proof"]["parameters_changed"]


def test_all_ranks_stop_after_the_same_step(run):
    for result in results(run, "several"):
        counts = [
            [event["step"] for event in events(run, result, rank) if event["event"] == "step"][-1] for rank in (0, 1)
        ]
        assert counts == [result["metrics"]["steps"]] * 2


def test_a_checkpoint_is_saved_before_its_time_to_know_what_the_others_will_take(run):
    for result in results(run, "several"):
        saves = [event for event in events(run, result) if event["event"] == "end" and event["phase"] == "save"]
        (folder,) = attempt(run, result).glob("checkpoint-*")
        assert len(saves) == 1 and int(folder.name.partition("-")[2]) <= result["metrics"]["steps"]


def test_where_every_step_runs_the_time_is_measured_and_a_warning_says_why(run):
    (result,) = results(run, "enough")
    assert not result["basis"] and result["metrics"]["steps"] == 40
    assert math.isfinite(result["metrics"]["train_runtime"])
    assert any("every step ran" in line for line in result["warnings"])


def test_reports_mark_what_is_projected(run):
    _, report = run
    assert "~" in report and "projected" in report


def test_a_step_that_would_end_the_whole_training_is_told_before_the_first(tmp_path):
    """The longest prompts leave no room for an answer, and one of the last steps has no others."""
    rows = [{"instruction": f"Say {number}", "input": "", "output": str(number)} for number in range(100)]
    rows += [{"instruction": "word " * 200, "input": "", "output": "x"}] * 60
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "demo.yaml").write_text(SPEC.partition("  several:")[0])
    done = benchspec("run", "demo.yaml", "--only", "loop", cwd=tmp_path)
    assert done.returncode == 2
    (result,) = map(json.loads, (tmp_path / "runs/demo/results.jsonl").read_text().splitlines())
    assert (result["outcome"], result["phase"]) == ("crash", "data")
    assert "has an answer within train.max_length: the whole training would end there" in result["reason"]
