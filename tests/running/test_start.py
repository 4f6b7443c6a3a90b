"""How a case starts, or is resumed where an earlier run was killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from following import launching

from benchspec import run


@pytest.mark.parametrize("end", ["ok", "oom"])
def test_what_an_earlier_run_could_not_write_down_is_reduced_and_not_run_again(scripted, end):
    (before,) = run(scripted(end))
    Path("runs/demo/results.jsonl").write_text("")
    (after,) = run(scripted(end))
    assert (after.outcome, after.attempt) == (end, "1")
    # The times are those of its events then.
    assert {**after.to_json(), **dict.fromkeys(("started", "finished", "metrics"))} == {
        **before.to_json(),
        **dict.fromkeys(("started", "finished", "metrics")),
    }


@pytest.mark.parametrize("handle", [None, "1", 3])
def test_a_start_that_returns_no_handle_costs_one_case(scripted, monkeypatch, handle):
    asked = scripted("ok", "oom")
    launching(monkeypatch, asked, handle)
    assert all("not a Handle with an id" in each.reason for each in run(asked))


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xfe", b"-1 0 y"])
@pytest.mark.parametrize("name", ["handle", "oom-kills"])
def test_a_file_that_a_power_failure_emptied_does_not_stop_the_next_run(scripted, monkeypatch, name, content):
    asked = scripted("crash")
    (first,) = run(asked)
    Path("runs/demo/results.jsonl").write_text("")
    Path(f"runs/demo/cases/ends/{first.case}/1/{name}").write_bytes(content)
    monkeypatch.setattr(asked.registry.find("launcher", "scripted").cls, "attach", lambda self, id: int(id))
    assert run(asked)[0].attempt == "2"
