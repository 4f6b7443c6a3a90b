"""A small share of each campaign that takes long, run as its own command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc"),
]

CAMPAIGNS = Path(__file__).with_name("campaigns")


@pytest.mark.parametrize(
    "campaign",
    [
        ("kills.py", "--runs", "3", "--trees", "1", "--seed", "1"),
        ("faults.py", "--only", "build-leaves", "--only", "steady-aborts", "--only", "save-daemon"),
    ],
    ids=lambda campaign: campaign[0],
)
def test_a_share_of_the_campaign_finds_nothing_wrong(tmp_path, campaign):
    name, *options = campaign
    ran = subprocess.run(
        [sys.executable, CAMPAIGNS / name, *options, tmp_path / "runs"], capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
