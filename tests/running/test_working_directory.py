"""What becomes of a run whose working directory somebody deletes."""

from __future__ import annotations

import json
import os

import pytest

from benchspec import run
from benchspec.terms.errors import RunError


@pytest.mark.skipif(os.name != "posix", reason="others keep a folder that is in use")
def test_no_case_is_charged_with_a_crash(scripted, tmp_path, monkeypatch):
    spec = scripted("ok", "oom")
    cls = spec.registry.find("launcher", "scripted").cls
    start, gone = cls.start, tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)

    def started(self, case_dir):
        gone.rmdir()
        return start(self, case_dir)

    monkeypatch.setattr(cls, "start", started)
    with pytest.raises(RunError, match="the working directory no longer exists; run the same command in another"):
        run(spec, tmp_path / "runs")
    (line,) = (tmp_path / "runs/results.jsonl").read_text().splitlines()
    assert json.loads(line)["outcome"] == "ok"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert {result.outcome for result in run(spec, "runs")} == {"ok", "oom"}
