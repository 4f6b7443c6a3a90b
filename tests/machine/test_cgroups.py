"""CPU limits and out-of-memory kills of control groups."""

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


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "800000 100000"}, 4),
        ("4:cpu,cpuacct:/job", {"cpu/job/cpu.cfs_quota_us": "200000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 2),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("4:cpuset:/", {"cpu.max": "100000 100000"}, None),
    ],
)
def test_the_cpu_quota_is_the_tightest_around(tmp_path, membership, files, quota):
    own, mount = tmp_path / "cgroup", tmp_path / "mount"
    own.write_text(membership + "\n")
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    assert cgroups.cpu_quota(own, mount) == quota


def test_no_control_groups_mean_no_quota(tmp_path):
    assert cgroups.cpu_quota(tmp_path / "none", tmp_path) is None
