"""A small share of `tests/campaigns/specs.py`: broken specs are planned or refused in clear lines, at little cost."""

import pytest

pytest.importorskip("resource", reason="the campaign limits memory as POSIX systems do")
from campaigns import specs


def test_broken_specs_are_planned_or_refused():
    outcomes = []
    specs.tried_apart(range(100_000, 100_040), outcomes.append)
    assert [each.seed for each in outcomes] == list(range(100_000, 100_040))
    assert [each for each in outcomes if each.word not in ("planned", "refused")] == []
    assert {each.word for each in outcomes} == {"planned", "refused"}


def test_the_campaign_notices_a_fault(monkeypatch):
    def broken(*args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(specs, "check", broken)
    outcomes = []
    specs.tried_apart(range(2), outcomes.append)
    assert [each.word for each in outcomes] == ["exception", "exception"] and "a bug" in outcomes[0].detail


def test_the_campaign_notices_a_process_that_dies(monkeypatch):
    monkeypatch.setattr(specs, "check", lambda *args: specs.os.abort())
    outcomes = []
    specs.tried_apart(range(2), outcomes.append)
    assert [each.word for each in outcomes] == ["died or stood still"] * 2
    assert outcomes[0].detail == "exit code -6"
