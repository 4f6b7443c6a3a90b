"""Process groups of which one rank does not go on, or goes without a word: who is blamed, and how soon."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
from conftest import install
from test_end_to_end import HEAD, workers

from benchspec import load, run

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="the guarantees about processes are Linux's"),
]

EXPERIMENTS = """
experiments:
  two:
    launcher: {name: torchrun, processes: 2}
    recipe: {name: plain, rank: 1, fault: %s}
"""


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Runs a case whose second rank has this fault in its second step; how it ended, and the attempt's folder."""
    site = install(tmp_path / "site", "mischief", Path(__file__).with_name("mischief.py").read_text())
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delitem(sys.modules, "mischief", raising=False)

    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))

    def ended(fault):
        (tmp_path / "demo.yaml").write_text(HEAD + EXPERIMENTS % fault)
        (result,) = run(load(tmp_path / "demo.yaml"), tmp_path / "run", least_stall=3.0)
        assert not workers(tmp_path / "run")
        return result, next(tmp_path.glob("run/cases/*/*/1"))

    return ended


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("hang", "rank 1 is behind, in hang (mischief.py:"),
        ("stop", "rank 1 was stopped by a signal, in stop (mischief.py:"),
    ],
)
def test_a_rank_that_does_not_go_on_is_a_hang_with_its_stack(ended, fault, words):
    result, attempt = ended(fault)
    assert (result.outcome, result.phase, result.rank) == ("hang", "steady", 1)
    assert result.reason.startswith("no step after step 1 for ")
    assert words in result.reason
    assert "in go_wrong" in (attempt / "stacks-1.txt").read_text()
    assert "in barrier" in (attempt / "stacks-0.txt").read_text()


@pytest.mark.parametrize(
    ("fault", "words"),
    [("vanish", "ended with exit code 0"), ("quit", "ended with exit code 3"), ("mute", "")],
)
def test_a_rank_that_goes_without_a_word_is_blamed_and_not_its_victim(ended, fault, words):
    result, attempt = ended(fault)
    assert (result.outcome, result.phase, result.rank) == ("crash", "steady", 1)
    assert words in result.reason
    assert not list(attempt.glob("stacks-*"))


def test_a_daemon_with_an_environment_of_its_own_ends_with_its_case(ended, tmp_path):
    result, attempt = ended("daemon")
    assert result.outcome == "ok"
    assert not psutil.pid_exists(int((attempt / "daemon").read_text()))
    assert not list((tmp_path / "tmp").glob("torchelastic_*"))
