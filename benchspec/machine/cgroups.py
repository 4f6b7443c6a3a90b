"""CPU limits and out-of-memory kills of this process's control groups."""

from __future__ import annotations

from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def kernel_kills() -> int | None:
    """How many processes of this control group the kernel's OOM killer has killed; None if that cannot be read."""
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return None
    counts = [count for line in lines if (count := _kills_of(line)) is not None]
    return max(counts, default=None)


def _kills_of(line: str, mount: Path = _MOUNT) -> int | None:
    """The count of kills for a line of /proc/self/cgroup, in version 2 (no controllers) or 1."""
    _, controllers, group = line.split(":", 2)
    if controllers not in ("", "memory"):
        return None
    root, name = ("memory", "memory.oom_control") if controllers else ("", "memory.events")
    try:
        text = (mount / root / group.lstrip("/") / name).read_text()
    except OSError:
        return None
    count = dict(line.split(None, 1) for line in text.splitlines()).get("oom_kill")
    return None if count is None else int(count)


def cpu_quota(own: Path = _OWN, mount: Path = _MOUNT) -> float | None:
    """The lowest CPU limit, in CPUs, of the control groups around this process; None if there is no limit."""
    try:
        memberships = [row.split(":", 2) for row in own.read_text().splitlines()]
    except OSError:
        return None
    limits = [_cpu_limit(folder) for _, names, path in memberships for folder in _groups(mount, names, path)]
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(mount: Path, names: str, path: str) -> list[Path]:
    """A group and its parents, if they belong to version 2 (no names) or to the CPU controller."""
    if names and "cpu" not in names.split(","):
        return []
    root = mount / "cpu" if names else mount
    inner = root / path.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]


def _cpu_limit(group: Path) -> float | None:
    """A group's own CPU limit: from `cpu.max` in version 2, from two files in version 1."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except OSError:
        return None
    return None if quota in ("max", "-1") else int(quota) / int(period)
