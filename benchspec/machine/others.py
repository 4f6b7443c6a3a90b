"""Who else uses the GPUs: an out-of-memory beside another's memory says nothing about the case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchspec.machine.nvml import Use, uses
from benchspec.machine.process import MARK
from benchspec.terms.units import size_text

#: bytes of a GPU that nobody may be using: a display, a driver that stays loaded. In containers NVML does not name the
#: processes of others, so that memory alone tells of them.
IDLE = 512 << 20


def others(run: Path) -> list[dict[str, Any]]:
    """The GPUs that processes outside of a run directory's cases use, as `record.others` in result.schema.json."""
    return [found for use in uses() if (found := _of_others(use, run))]


def sentence(found: Sequence[dict[str, Any]]) -> str:
    """A warning about what `others` has found."""
    return f"others used the GPUs when the case started: {'; '.join(map(_words, found))}"


def _of_others(use: Use, run: Path) -> dict[str, Any] | None:
    strangers = sorted(pid for pid in use.processes if not _is_of_run(pid, run))
    nobody_is_named = not use.processes and (use.memory or 0) > IDLE
    if not strangers and not nobody_is_named:
        return None
    return {"gpu": use.name, "uuid": use.uuid, "memory": use.memory, "processes": strangers}


def _is_of_run(pid: int, run: Path) -> bool:
    """Whether a process belongs to a case of the run directory: several cases may run at a time."""
    import psutil

    try:
        folder = psutil.Process(pid).environ().get(MARK)
    except psutil.Error:
        return False
    return folder is not None and Path(folder).is_relative_to(run)


def _words(use: dict[str, Any]) -> str:
    parts: Iterable[str] = (
        f"{size_text(use['memory'])} in use" if use["memory"] is not None else "",
        f"process {', '.join(map(str, use['processes']))}" if use["processes"] else "by processes that cannot be seen",
    )
    return f"{use['gpu']} ({use['uuid']}): {', '.join(filter(None, parts))}"
