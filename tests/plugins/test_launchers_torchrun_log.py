"""torchrun's summary of failed ranks."""

from __future__ import annotations

import pytest

from benchspec_plugins.launchers.torchrun_log import deaths


def torchrun_says(first, *others):
    """The end of torchrun's own messages about ranks that failed: (rank, exit code)."""
    return (
        "E1123 22:07:55.474 19819 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: -9)\n"
        "============================================================\n/bin/sh FAILED\n"
        f"------------------------------------------------------------\nFailures:\n{''.join(map(block, others))}"
        "------------------------------------------------------------\n"
        f"Root Cause (first observed failure):\n{block(first)}"
    )


def block(death):
    rank, code = death
    return (
        f"[{rank}]:\n  time      : now\n  host      : here\n  rank      : {rank} (local_rank: {rank})\n"
        f"  exitcode  : {code} (pid: 7)\n  error_file: <N/A>\n  traceback : Signal\n"
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([(0, -9)], [(0, -9)]),
        ([(0, 3)], [(0, 3)]),
        ([(1, -9), (0, 1)], [(1, -9), (0, 1)]),
        # A rank that torchrun stopped with SIGTERM explains nothing, unless it failed first.
        ([(1, -9), (0, -15)], [(1, -9)]),
        ([(1, -15), (0, 1), (2, 1)], [(1, -15), (0, 1), (2, 1)]),
    ],
)
def test_the_first_rank_to_fail_comes_first(said, found):
    assert list(deaths(torchrun_says(*said)).items()) == found


def test_a_log_without_a_summary_has_no_failed_rank():
    assert deaths("") == deaths("W1123 torch/distributed/run.py: ...") == {}
