"""The folders of a case's attempts."""

from pathlib import Path

from benchspec import run


def test_an_attempt_that_was_cut_off_is_run_again_beside_its_evidence(scripted):
    (only,) = run(scripted("ok"))
    Path("runs/demo/results.jsonl").write_text("")
    events = Path(f"runs/demo/cases/ends/{only.case}/1/rank-0.jsonl")
    events.write_text(events.read_text().splitlines()[0] + '\n{"event":"do')
    (again,) = run(scripted("ok"))
    assert again.attempt == "2"
    assert events.exists()
