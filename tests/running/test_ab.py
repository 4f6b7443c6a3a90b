"""One spec under two environments; each launch is a command line of its own, so these tests take seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")

from benchspec.results.journal import read_journal
from benchspec.running.ab import Settings, ab
from benchspec.running.environment import Environment
from benchspec.terms.errors import RunError


@pytest.fixture
def compared(scripted):
    """Runs a spec of which cases end so under two environments, which are the same."""

    def comparing(*ends, repeats=2, said=None):
        if ends:
            scripted(*ends)
        pair = tuple(Environment.of(name, sys.executable, Path("runs/ab") / name) for name in ("base", "head"))
        note = [].append if said is None else said.append
        return ab(pair, Settings("demo.yaml", (), (), repeats, "rows_per_second", 0.02, note))

    return comparing


def launches(name):
    return [(each.axes["launcher.end"], each.launch) for each in read_journal(Path("runs/ab") / name)]


@pytest.mark.slow
def test_cases_are_launched_in_turns_and_only_what_is_left(compared):
    said = []
    found = compared("ok", said=said)
    assert [line.split(":")[0] for line in said] == [
        "launch 1, base",
        "launch 1, head",
        "launch 2, head",
        "launch 2, base",
    ]
    assert launches("base") == launches("head") == [("ok", 1), ("ok", 2)]
    # This launcher's cases train nothing.
    assert found.pairs[0].reasons[0] == "base has no rows_per_second"
    assert all((Path("runs/ab") / name / "report.txt").exists() for name in ("base", "head"))
    again = []
    compared("ok", repeats=2, said=again)
    assert again == []


@pytest.mark.slow
def test_what_fails_is_not_launched_again_and_again(compared):
    found = compared("crash", repeats=3)
    assert launches("base") == launches("head") == [("crash", 1)]
    assert found.verdict == "not comparable" and "not ok in base: crash in train" in found.pairs[0].reasons[0]


def test_a_spec_that_cannot_be_planned_ends_it(compared):
    Path("demo.yaml").write_text("benchspec: 1\n")
    with pytest.raises(RunError, match=r"base \(.*\) cannot plan demo.yaml: ") as caught:
        compared()
    assert all(f"'{key}' is missing" in str(caught.value) for key in ("name", "experiments"))


def test_an_environment_that_ends_without_a_result_is_named(tmp_path):
    other = tmp_path / "python"
    plan = '[{"experiment": "one", "id": "tiny", "axes": {}}]'
    other.write_text(f"#!/bin/sh\ncase \"$*\" in *plan*) echo '{plan}' ;; *) exit 1 ;; esac\n")
    other.chmod(0o755)
    pair = tuple(Environment.of(name, str(other), tmp_path / name) for name in ("base", "head"))
    with pytest.raises(RunError, match=r"base \(.*\): launch 1 of one/tiny left no result"):
        ab(pair, Settings("demo.yaml", (), (), 2, "rows_per_second", 0.02, [].append))
