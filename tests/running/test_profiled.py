"""A few more steps under a profiler, by a launcher that starts nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchspec import run
from benchspec.running.profiled import short
from benchspec.running.progress import Lines
from benchspec.terms import layout

STEPS = [
    {"event": "begin", "phase": "first-step", "time": 1.5},
    *({"event": "step", "step": n, "time": 1.5 + n, "rows": 1, "loss": 1.0, "grad_norm": 1.0} for n in (1, 2)),
]


@pytest.fixture
def profiled(scripted, monkeypatch, capsys):
    """The folders of profiles, and what is said, of a run whose cases end so when they are profiled."""

    def ran(end):
        spec = scripted("ok", "oom")
        cls = spec.registry.find("launcher", "scripted").cls
        start = cls.start

        def started(self, case_dir):
            if case_dir.name == layout.NEW_PROFILE:
                if end == "raise":
                    raise ZeroDivisionError("a bug in the launcher")
                self.options = {**self.options, "end": end}
            handle = start(self, case_dir)
            file = case_dir / "rank-0.jsonl"
            first, last = file.read_text().splitlines()
            counts = dict.fromkeys(("tokens", "padded_tokens", "loss_tokens"), 1)
            steps = [json.dumps({**each, **(counts if each["event"] == "step" else {})}) for each in STEPS]
            file.write_text("\n".join([first, *steps, last]) + "\n")
            return handle

        monkeypatch.setattr(cls, "start", started)
        results = run(spec, profile=True, progress=Lines(sys.stderr))
        return results, sorted(Path("runs/demo/cases").glob("*/*/profile")), capsys.readouterr().err

    return ran


def test_only_cases_that_are_ok_are_profiled(profiled):
    results, folders, said = profiled("ok")
    assert [folder.parent.name for folder in folders] == [r.case for r in results if r.outcome == "ok"]
    assert "profile 1 of 1" in said and "there is no profile" not in said
    told = json.loads((folders[0] / "case.json").read_text())
    assert told["profiled"] is True and told["train"]["max_steps"] == 6


@pytest.mark.parametrize(
    ("end", "why"), [("crash", "crash in train: ValueError: no"), ("raise", "failed: ZeroDivisionError")]
)
def test_a_profile_that_fails_is_told_and_no_result(profiled, end, why):
    results, _, said = profiled(end)
    assert "warning: there is no profile: " in said and why in said
    assert {result.outcome for result in results} == {"ok", "oom"} and results.as_expected() is False


def test_a_profile_saves_asks_and_projects_nothing(cases):
    (case,) = cases(
        "measure: {mode: sampled, ceilings: true}\ntrain: {max_steps: 900, save: {final: true}}\n"
        "query: {prompts: [Name a colour.]}"
    )
    found = short(case)
    assert (found.train["max_steps"], found.train["save"], found.query, found.sampled_to) == (6, None, None, None)
    assert not found.measure["ceilings"] and found.id == case.id
