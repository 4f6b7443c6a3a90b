"""How a case ended, judged from the evidence that its process group left.

A group has finished when every rank's file ends with `done`. The exit code does not count, because a process group
that has done all its work can still abort during its teardown.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchspec.kinds.values import End
from benchspec.results.clocks import moment, offsets
from benchspec.results.events import Event
from benchspec.results.evidence import Evidence, furthest_behind, open_phase
from benchspec.running.culprit import Hang
from benchspec.terms.outcomes import ABORTED, LOST_PEER, SIGNS
from benchspec.terms.units import duration_text


@dataclass(frozen=True)
class Ending:
    """How a case ended; if the outcome is `ok`, the other fields are empty."""

    outcome: str
    phase: str | None = None
    rank: int | None = None
    reason: str | None = None
    log: tuple[str, ...] = ()
    #: whether the user has to correct something: bad data, an impossible option
    mistake: bool = False


def judge(
    evidence: Evidence,
    deaths: Mapping[int, int],
    *,
    timeout: float | None = None,
    hang: Hang | None = None,
    kernel_killed: bool = False,
    end: End | None = None,
) -> Ending:
    """How a process group ended; it must have no process left.

    `deaths` are the exit codes that the launcher reports; `timeout` is the limit in seconds if the group was stopped
    for it, and `hang` what was seen if it was stopped because it stood still; `kernel_killed` says whether the kernel's
    out-of-memory killer has killed processes during the case; `end` is what a scheduler says, unless the group was
    stopped.
    """
    ending = _judged(evidence, deaths, timeout, hang, kernel_killed, end)
    if evidence.unusable is None:
        return ending
    phase, log = ending.phase or "train", evidence.log
    reason = f"the events cannot be used: {evidence.unusable}"
    return Ending("crash", phase, reason=f"{reason}; {ending.reason}" if ending.reason else reason, log=log)


def _judged(
    evidence: Evidence,
    deaths: Mapping[int, int],
    timeout: float | None,
    hang: Hang | None,
    kernel_killed: bool,
    end: End | None,
) -> Ending:
    """How a process group ended, from those of its events that can be used."""
    log = evidence.log
    if hang is not None:
        # What was interrupted to tell its stacks may even have finished.
        return Ending("hang", hang.phase, hang.rank, hang.reason, log)
    if evidence.finished:
        return Ending("ok")
    failure, death = _first_failure(evidence), _first_death(evidence, deaths)
    if end and timeout is None and (failure is None or failure[1]["outcome"] == "crash"):
        rank_behind, phase = furthest_behind(evidence.ranks)
        return Ending(end.outcome, phase, rank_behind, end.reason, log)
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
    reason = f"the processes ended before they had finished: {_last_message(evidence)}"
    return Ending("crash", phase, rank_behind, reason, log)


def _last_message(evidence: Evidence) -> str:
    if evidence.cut_off:
        return f"{evidence.cut_off[0]} breaks off in the middle of a line; is the disk full?"
    lines = _NO_LAST_WORDS.sub("", evidence.stderr).splitlines()
    return next((line.strip() for line in reversed(lines) if re.search(r"\w", line)), "they left no message")


#: a warning of Python's, with the line of source that it shows, or a line of a library's log that warns or informs
_NO_LAST_WORDS = re.compile(r"^.*:\d+: \w*Warning: .*\n(?:  .*\n?)?|^.*\[(?:WARNING|INFO)\].*\n?", re.MULTILINE)


def _first_failure(evidence: Evidence) -> tuple[int, Event] | None:
    """The failure that caused the others: if one rank runs out of memory, the ranks waiting for it crash."""
    failures = [(rank, event) for rank, found in evidence.ranks.items() for event in _failures(found)]
    # The time of day may have been set between two failures.
    known = offsets(evidence.ranks)
    return min(
        failures,
        key=lambda failure: (failure[1]["outcome"] == "crash", moment(failure[1], known[failure[0]])),
        default=None,
    )


def _failures(found: Sequence[Event]) -> list[Event]:
    return [event for event in found if event["event"] == "failure"]


def _first_death(evidence: Evidence, deaths: Mapping[int, int]) -> tuple[int, int] | None:
    """The first rank that ended without a `failure` or `done` event, and its exit code."""
    return next(((rank, code) for rank, code in deaths.items() if not _reported(evidence.of(rank))), None)


def _reported(found: Sequence[Event]) -> bool:
    return any(event["event"] in ("failure", "done") for event in found)


def _follows(failure: Event, code: int) -> bool:
    """Whether a failure was only caused by another rank's death, which had this exit code.

    With SIGABRT or SIGTERM it may be the other way round: a rank can abort because of the failure, and a launcher ends
    the other ranks with SIGTERM.
    """
    if failure["outcome"] != "crash":
        return False
    lost = any(sign in failure["reason"] for sign in LOST_PEER)
    return lost or code not in (-signal.SIGABRT, -signal.SIGTERM)


def _cause(stderr: str, code: int, kernel_killed: bool) -> tuple[str, str]:
    """The outcome and the reason for an exit code."""
    if code == -signal.SIGKILL and kernel_killed:
        return "host-oom", "killed by the kernel (signal 9): the host's memory was used up"
    if code == -signal.SIGKILL:
        return "crash", "killed (signal 9), perhaps by the kernel because host memory ran out"
    if code >= 0:
        return "crash", f"ended with exit code {code} before it had finished, without a message"
    said = _said(stderr)
    outcome = next((ABORTED[text] for text in ABORTED if text in said), "crash") if code == -signal.SIGABRT else "crash"
    return outcome, f"ended by {_signal_name(-code)}" + (f": {said}" if said else "")


def _said(stderr: str) -> str:
    """What stderr says first of the cause of a signal; empty if it says nothing of it."""
    lines = [line.strip() for line in stderr.splitlines()]
    place = next((number for number, line in enumerate(lines) if SIGNS.search(line)), None)
    if place is None:
        return ""
    # An exception in C++ is two lines: its type, then what it says.
    after = lines[place + 1 : place + 2]
    message = [line.removeprefix("what():").strip() for line in after if line.startswith("what():")]
    return ": ".join([lines[place], *message])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
