"""Case -> one process group -> how it ended.

A group has come to its end when every rank's file ends with `done`: that, and not an exit code, is success, since a
process group can abort while it is torn down, after all its work was done.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchspec import events
from benchspec.events import Event
from benchspec.kinds import Handle
from benchspec.units import duration_text

#: seconds that a group may go on after a rank failed, or after all are done, before it is ended
GRACE = 20.0
#: lines of the log that a result keeps
LOG_LINES = 20


@dataclass(frozen=True)
class Ending:
    """How a case ended; all but the outcome is empty where that is `ok`."""

    outcome: str
    phase: str | None = None
    rank: int | None = None
    reason: str | None = None
    log: tuple[str, ...] = ()
    #: whether it is the user's to mend: bad data, an impossible option
    mistake: bool = False


@dataclass
class Flight:
    """A process group that is running, as far as it can be seen from outside."""

    folder: Path
    handle: Handle
    timeout: float | None
    started: float
    tail: events.Tail = field(init=False)
    #: when the first rank failed, or the last one was done
    settled: float | None = None
    done: int = 0
    world: int = 0

    def __post_init__(self) -> None:
        self.tail = events.Tail(self.folder)

    def look(self) -> list[tuple[int, Event]]:
        """What the ranks wrote since the last look."""
        new = self.tail.new()
        for _, event in new:
            self.world = max(self.world, event.get("world", 0))
            self.done += event["event"] == "done"
            if event["event"] == "failure" or 0 < self.world == self.done:
                self.settled = self.settled or time.time()
        return new

    def ended(self) -> Ending | None:
        """How it ended; None while it runs. Every process is gone when this returns an ending."""
        code = self.handle.poll()
        now = time.time()
        late = self.timeout is not None and now - self.started > self.timeout
        if code is None and not late and (self.settled is None or now - self.settled < GRACE):
            return None
        self.handle.stop()
        if code is None and late and self.settled is None:
            return timed_out(self.folder, self.timeout or 0)
        return judge(self.folder, code)


def timed_out(folder: Path, timeout: float) -> Ending:
    ranks = events.read_ranks(folder)
    rank, phase = _furthest_behind(ranks)
    reason = f"not finished after {duration_text(timeout)} (limits.timeout)"
    return Ending("timeout", phase, rank, reason, log_tail(folder))


def judge(folder: Path, code: int | None) -> Ending:
    """How a group that is gone ended, by the evidence that it left."""
    ranks = events.read_ranks(folder)
    if events.finished(ranks):
        return Ending("ok")
    failures = [
        (event["time"], rank, event) for rank, found in ranks.items() for event in found if event["event"] == "failure"
    ]
    killed = _killed(folder)
    if killed and (not failures or killed.rank not in {rank for _, rank, _ in failures}):
        return _kill_ending(folder, ranks, killed)
    if not failures:
        return _silent_ending(folder, ranks, code)
    _, rank, event = min(failures, key=lambda failure: (failure[2]["outcome"] == "crash", failure[0]))
    mistake = event.get("mistake", False)
    return Ending(event["outcome"], event["phase"], rank, event["reason"], log_tail(folder), mistake)


def open_phase(found: list[Event]) -> str:
    """The innermost phase that a rank had begun and not ended."""
    phases = ["start"]
    for event in found:
        if event["event"] == "begin":
            phases.append(event["phase"])
        elif event["event"] == "end" and event["phase"] in phases:
            phases.remove(event["phase"])
    return phases[-1] if phases else "start"


def log_tail(folder: Path) -> tuple[str, ...]:
    """The last lines of what the group said on stderr."""
    file = folder / "stderr.log"
    lines = file.read_bytes()[-20_000:].decode(errors="replace").splitlines() if file.exists() else []
    return tuple(lines[-LOG_LINES:])


@dataclass(frozen=True)
class _Killed:
    rank: int
    signal: int


#: what torchrun says of the first process that failed, when a signal ended it
_ROOT_CAUSE = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*-(\d+)", re.DOTALL)


def _killed(folder: Path) -> _Killed | None:
    file = folder / "stderr.log"
    found = _ROOT_CAUSE.search(file.read_text(errors="replace")) if file.exists() else None
    return _Killed(int(found[1]), int(found[2])) if found else None


def _kill_ending(folder: Path, ranks: Mapping[int, list[Event]], killed: _Killed) -> Ending:
    phase = open_phase(ranks.get(killed.rank, []))
    if killed.signal != 9:
        return Ending("crash", phase, killed.rank, f"ended by signal {killed.signal}", log_tail(folder))
    if _kernel_killed(folder):
        reason = "killed by the kernel: the host's memory was used up"
        return Ending("host-oom", phase, killed.rank, reason, log_tail(folder))
    reason = "killed (signal 9), perhaps by the kernel for want of host memory"
    return Ending("crash", phase, killed.rank, reason, log_tail(folder))


def _silent_ending(folder: Path, ranks: Mapping[int, list[Event]], code: int | None) -> Ending:
    rank, phase = _furthest_behind(ranks)
    log = log_tail(folder)
    said = next((line.strip() for line in reversed(log) if line.strip()), "it left no message")
    exit_code = "" if code is None else f" with exit code {code}"
    return Ending("crash", phase, rank, f"the processes ended{exit_code} before they were done: {said}", log)


def _furthest_behind(ranks: Mapping[int, list[Event]]) -> tuple[int | None, str]:
    """The rank that wrote last the longest ago among those not done, and its phase."""
    waiting = {rank: found for rank, found in ranks.items() if found and found[-1]["event"] != "done"}
    if not waiting:
        return None, "start"
    rank = min(waiting, key=lambda rank: waiting[rank][-1]["time"])
    return rank, open_phase(waiting[rank])


def kernel_kills() -> int | None:
    """How many processes of this control group the kernel has killed for want of memory; None where unreadable."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().split("\n")[-1].split(":")[-1]
        text = (Path("/sys/fs/cgroup") / group.lstrip("/") / "memory.events").read_text()
    except OSError:
        return None
    counts = dict(line.split() for line in text.splitlines())
    return int(counts.get("oom_kill", 0))


def _kernel_killed(folder: Path) -> bool:
    """Whether the kernel has killed since the case started; its count then is kept beside it."""
    file = folder / "oom-kills"
    now = kernel_kills()
    return file.exists() and now is not None and now > int(file.read_text())


def note_kernel_kills(folder: Path) -> None:
    """Keep the kernel's count of kills at a case's start, to tell whether a later kill was its own."""
    if (count := kernel_kills()) is not None:
        (folder / "oom-kills").write_text(str(count))
