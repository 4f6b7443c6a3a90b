"""How a case ended, by the evidence that its process group left.

A group has finished when every rank's file ends with `done`: that, and not an exit code, is success, since a process
group can abort while it is torn down, after all its work was done.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchspec.results.events import Event
from benchspec.results.evidence import Evidence, furthest_behind, open_phase
from benchspec.terms.outcomes import ABORTED, LOST_PEER
from benchspec.terms.units import duration_text

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
    #: whether the user has to correct something: bad data, an impossible option
    mistake: bool = False


def judge(
    evidence: Evidence, deaths: Mapping[int, int], *, timeout: float | None = None, kernel_killed: bool = False
) -> Ending:
    """How a group that is gone ended.

    `deaths` are the exit codes that the launcher tells of, `timeout` is the limit that the group was stopped for, and
    `kernel_killed` says whether the kernel has killed processes for want of memory meanwhile.
    """
    if evidence.finished:
        return Ending("ok")
    log = tuple(evidence.stderr.splitlines()[-LOG_LINES:])
    failure, death = _first_failure(evidence), _first_death(evidence, deaths)
    if death and (failure is None or _follows(failure[1], death[1])):
        rank, code = death
        outcome, reason = _cause(evidence.stderr, code, kernel_killed)
        return Ending(outcome, open_phase(evidence.of(rank)), rank, reason, log)
    if failure:
        rank, event = failure
        return Ending(event["outcome"], event["phase"], rank, event["reason"], log, event.get("mistake", False))
    rank_behind, phase = furthest_behind(evidence.ranks)
    if timeout is not None:
        reason = f"not finished after {duration_text(timeout)} (limits.timeout)"
        return Ending("timeout", phase, rank_behind, reason, log)
    return Ending("crash", phase, rank_behind, f"the processes ended before they were done: {_said(evidence)}", log)


def _said(evidence: Evidence) -> str:
    if evidence.cut_off:
        return f"{evidence.cut_off[0]} breaks off in the middle of a line; is the disk full?"
    lines = evidence.stderr.splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "they left no message")[:500]


def _first_failure(evidence: Evidence) -> tuple[int, Event] | None:
    """The failure that explains the others: running out of memory on one rank crashes those that wait for it."""
    failures = [(rank, event) for rank, found in evidence.ranks.items() for event in _failures(found)]
    return min(failures, key=lambda failure: (failure[1]["outcome"] == "crash", failure[1]["time"]), default=None)


def _failures(found: Sequence[Event]) -> list[Event]:
    return [event for event in found if event["event"] == "failure"]


def _first_death(evidence: Evidence, deaths: Mapping[int, int]) -> tuple[int, int] | None:
    """The first rank that ended without finishing or writing why, and its exit code."""
    return next(((rank, code) for rank, code in deaths.items() if not _spoke(evidence.of(rank))), None)


def _spoke(found: Sequence[Event]) -> bool:
    return any(event["event"] in ("failure", "done") for event in found)


def _follows(failure: Event, code: int) -> bool:
    """Whether a failure is only the consequence of another rank's death.

    An abort may itself follow from the failure, and SIGTERM is how a launcher ends the other ranks.
    """
    if failure["outcome"] != "crash":
        return False
    lost = any(sign in failure["reason"] for sign in LOST_PEER)
    return lost or code not in (-signal.SIGABRT, -signal.SIGTERM)


def _cause(stderr: str, code: int, kernel_killed: bool) -> tuple[str, str]:
    """The outcome that an exit code means, and a reason in words."""
    if code == -signal.SIGKILL and kernel_killed:
        return "host-oom", "killed by the kernel (signal 9): the host's memory was used up"
    if code == -signal.SIGKILL:
        return "crash", "killed (signal 9), perhaps by the kernel for want of host memory"
    if code >= 0:
        return "crash", f"ended with exit code {code} before it was done, without a message"
    sign = next((sign for sign in ABORTED if sign in stderr), None)
    outcome = ABORTED[sign] if sign and code == -signal.SIGABRT else "crash"
    return outcome, f"ended by {_signal_name(-code)}" + (f": {sign}" if sign else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
