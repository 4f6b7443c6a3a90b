"""What a model is asked after training, from spec to report, through the command line."""

import json

import pytest
from conftest import benchspec

pytest.importorskip("torch")
pytest.importorskip("peft")
pytestmark = pytest.mark.slow

SPEC = """
benchspec: 1
name: asked
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 24}
  launcher: {name: torchrun, processes: 1}
  train: {precision: fp32, max_length: 1024, max_steps: 2, gradient_accumulation: 1, batch_size: 2}
  query: {prompts: [Name a colour., {instruction: Add them., input: 2 and 3}], max_new_tokens: 4}
experiments:
  untrained: {method: none}
  sharded: {method: lora, recipe: loop, backend: fsdp, launcher: {name: torchrun, processes: 2}}
"""


def test_a_case_is_asked_with_training_and_without(tmp_path):
    (tmp_path / "asked.yaml").write_text(SPEC)
    done = benchspec("run", "asked.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    untrained, sharded = map(json.loads, (tmp_path / "runs/asked/results.jsonl").read_text().splitlines())
    for line in (untrained, sharded):
        assert [answer["prompt"] for answer in line["answers"]] == ["Name a colour.", "Add them.\n2 and 3"]
        assert line["metrics"]["generated_tokens_per_second"] > 0
        assert 0 < line["metrics"]["first_token_time"] < line["metrics"]["phase_query"]
        assert line["metrics"]["query_peak_memory"] > 0
    assert "train_runtime" not in untrained["metrics"]
    assert "phase_data" not in untrained["metrics"]
    assert untrained["proof"] == {}
    assert sharded["metrics"]["train_runtime"] > 0
    assert not list(tmp_path.glob("runs/asked/cases/*/*/*/final"))
    assert "Add them. 2 and 3" in done.stdout
