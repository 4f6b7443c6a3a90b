"""Case -> one process group -> how it ended.

A group has come to its end when every rank's file ends with `done`: that, and not an exit code, is success, since a
process group can abort while it is torn down, after all its work was done.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchspec.kinds.bases import Handle
from benchspec.results import events
from benchspec.results.events import Event
from benchspec.terms.units import duration_text

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
        return judge(self.folder, self.timeout if code is None and late else None)


def judge(folder: Path, timeout: float | None = None) -> Ending:
    """How a group that is gone ended, by the evidence that it left; `timeout` is the limit that it was ended for."""
    ranks = events.read_ranks(folder)
    if events.finished(ranks):
        return Ending("ok")
    log = log_tail(folder)
    failure, death = _first_failure(ranks), _first_death(folder, ranks)
    if death and (failure is None or _follows(failure[1], death)):
        return _death_ending(folder, ranks, death, log)
    if failure:
        rank, event = failure
        return Ending(event["outcome"], event["phase"], rank, event["reason"], log, event.get("mistake", False))
    rank_behind, phase = furthest_behind(ranks)
    if timeout is not None:
        return Ending("timeout", phase, rank_behind, _not_finished(timeout), log)
    return Ending("crash", phase, rank_behind, f"the processes ended before they were done: {_said(folder, log)}", log)


def _not_finished(timeout: float) -> str:
    return f"not finished after {duration_text(timeout)} (limits.timeout)"


def _said(folder: Path, log: tuple[str, ...]) -> str:
    if broken := [file.name for file in folder.glob("rank-*.jsonl") if not file.read_bytes().endswith(b"\n")]:
        return f"{broken[0]} breaks off in the middle of a line; is the disk full?"
    return next((line.strip() for line in reversed(log) if line.strip()), "they left no message")[:500]


def _first_failure(ranks: Mapping[int, list[Event]]) -> tuple[int, Event] | None:
    """The failure that explains the others: running out of memory on one rank crashes those that wait for it."""
    failures = [(rank, event) for rank, found in ranks.items() for event in found if event["event"] == "failure"]
    return min(failures, key=lambda failure: (failure[1]["outcome"] == "crash", failure[1]["time"]), default=None)


def open_phase(found: list[Event]) -> str:
    """The innermost phase that a rank had begun and not ended."""
    phases = ["start"]
    for event in found:
        if event["event"] == "begin":
            phases.append(event["phase"])
        elif event["event"] == "end" and event["phase"] in phases:
            phases.remove(event["phase"])
    return phases[-1] if phases else "start"


def furthest_behind(ranks: Mapping[int, list[Event]]) -> tuple[int | None, str]:
    """The rank that got less far than all others, and its phase; no rank where several got as far."""
    world = max((event["world"] for found in ranks.values() for event in found if event["event"] == "start"), default=0)
    far = {rank: len(ranks.get(rank, [])) for rank in range(world)}
    last = [rank for rank, count in far.items() if count == min(far.values())]
    return (last[0] if len(last) == 1 else None), open_phase(ranks.get(last[0], []) if last else [])


#: the first line of what torchrun adds to the log when it ends a group
_OF_TORCHRUN = re.compile(r"[EW]\d{4} .*torch/distributed/elastic/")


def log_tail(folder: Path) -> tuple[str, ...]:
    """The last lines of what the ranks said on stderr; what torchrun says of itself comes after and is left out."""
    lines = _stderr(folder)[-200_000:].splitlines()
    own = next((index for index, line in enumerate(lines) if _OF_TORCHRUN.match(line)), None)
    return tuple(lines[:own][-LOG_LINES:] or lines[-LOG_LINES:])


def _stderr(folder: Path) -> str:
    file = folder / "stderr.log"
    return file.read_text(errors="replace") if file.exists() else ""


@dataclass(frozen=True)
class _Death:
    """A rank that a signal ended."""

    rank: int
    signal: int


#: how torchrun tells of a rank that a signal ended
_DEATH = re.compile(r"^\s*rank\s*:\s*(\d+) .*\n\s*exitcode\s*:\s*-(\d+)", re.MULTILINE)
#: what the aborted process said last -> the outcome that it was
_ABORTED = {
    "std::bad_alloc": "oom",
    "Watchdog caught collective operation timeout": "hang",
}
#: what gloo and NCCL say on the ranks that another rank's death leaves behind
_LOST_PEER = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "Connection refused")


def _first_death(folder: Path, ranks: Mapping[int, list[Event]]) -> _Death | None:
    """The rank that a signal ended without a word of its own."""
    spoke = {rank for rank, found in ranks.items() if any(event["event"] == "failure" for event in found)}
    deaths = [_Death(int(rank), int(signal)) for rank, signal in _DEATH.findall(_stderr(folder))]
    unexplained = [death for death in deaths if death.rank not in spoke]
    # SIGTERM is how torchrun itself ends those that are left.
    return min(unexplained, key=lambda death: death.signal == signal.SIGTERM, default=None)


def _follows(failure: Event, death: _Death) -> bool:
    """Whether a failure is but the consequence of another rank's death.

    An abort may itself be one of a failure, and SIGTERM is what torchrun ends the others with after any failure.
    """
    if failure["outcome"] != "crash":
        return False
    lost = any(sign in failure["reason"] for sign in _LOST_PEER)
    return lost or death.signal not in (signal.SIGABRT, signal.SIGTERM)


def _death_ending(folder: Path, ranks: Mapping[int, list[Event]], death: _Death, log: tuple[str, ...]) -> Ending:
    outcome, reason = _cause(folder, death)
    return Ending(outcome, open_phase(ranks.get(death.rank, [])), death.rank, reason, log)


def _cause(folder: Path, death: _Death) -> tuple[str, str]:
    """What a signal means, and in words."""
    if death.signal == signal.SIGKILL and _kernel_killed(folder):
        return "host-oom", "killed by the kernel: the host's memory was used up"
    if death.signal == signal.SIGKILL:
        return "crash", "killed (signal 9), perhaps by the kernel for want of host memory"
    said = _stderr(folder)
    outcome = next((outcome for sign, outcome in _ABORTED.items() if sign in said), "crash")
    sign = next((f": {sign}" for sign in _ABORTED if sign in said), "")
    return (outcome if death.signal == signal.SIGABRT else "crash"), f"ended by {_signal_name(death.signal)}{sign}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kernel_kills() -> int | None:
    """How many processes of this control group the kernel has killed for want of memory; None where unreadable."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    counts = [count for line in lines if (count := _kills_of(line)) is not None]
    return max(counts, default=None)


def _kills_of(line: str, mount: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The kernel's count for a line of /proc/self/cgroup, of version 2 (no controllers) or 1."""
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


def _kernel_killed(folder: Path) -> bool:
    """Whether the kernel has killed since the case started; its count then is kept beside it."""
    file = folder / "oom-kills"
    now = kernel_kills()
    return file.exists() and now is not None and now > int(file.read_text())


def note_kernel_kills(folder: Path) -> None:
    """Keep the kernel's count of kills at a case's start, to tell whether a later kill was its own."""
    if (count := kernel_kills()) is not None:
        (folder / "oom-kills").write_text(str(count))
