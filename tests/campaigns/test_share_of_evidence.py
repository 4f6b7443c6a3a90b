"""A small share of the campaign of broken evidence."""

from __future__ import annotations

import evidence
import pytest


@pytest.mark.parametrize("share", [evidence.runs, evidence.attempts])
def test_broken_files_are_used_or_refused_in_a_line(share):
    ends, wrong = share(60, seed=1)
    assert wrong == []
    assert sum(ends.values()) == 60 and len(ends) > 1
