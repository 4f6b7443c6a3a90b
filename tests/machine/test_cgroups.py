"""What control groups allow, and what the kernel has killed in them."""

from __future__ import annotations

import pytest

from benchspec.machine import cgroups


@pytest.mark.parametrize(
    ("controllers", "file"), [("", "job/memory.events"), ("memory", "memory/job/memory.oom_control")]
)
def test_the_kernels_count_is_read_in_both_versions_of_control_groups(tmp_path, controllers, file):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("oom 5\noom_kill 3\n")
    assert cgroups._kills_of(f"0:{controllers}:/job", tmp_path) == 3
    assert cgroups._kills_of(f"0:{controllers}:/other", tmp_path) is None
    assert cgroups._kills_of("0:cpu:/job", tmp_path) is None
