"""A small share of `tests/campaigns/data.py`: broken data files give rows or one clear line, at little cost."""

from __future__ import annotations

import pytest
from campaigns import data


@pytest.mark.parametrize("seed", [1, 2])
def test_a_broken_data_file_gives_rows_or_one_clear_line(tmp_path, seed):
    counts, wrong = data.campaign(150, seed, tmp_path)
    # This process has used more memory than 150 files need.
    assert [text for text in wrong if not text.endswith("of memory")] == []
    assert counts["rows"] > 20 and counts["line"] > 20
