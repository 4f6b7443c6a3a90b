"""When a case ran, as dates, and for how long, by clocks that nobody sets."""

from __future__ import annotations

import time
from typing import NamedTuple

from benchspec.machine.host import host
from benchspec.results import clocks
from benchspec.results.evidence import Evidence


class When(NamedTuple):
    """When a case ran; the dates may have been set meanwhile, the seconds not."""

    #: seconds since the epoch
    started: float
    finished: float
    #: for how long
    seconds: float


def until_now(started: float, begun: float) -> When:
    """From a date, and the same moment by the monotonic clock, until now."""
    return When(started, time.time(), time.monotonic() - begun)


def until_last_event(when: When, begun: float, seen: Evidence) -> When:
    """The same until its last event, for a case that is ok: afterwards its processes only shut down."""
    here = [found[-1] for found in seen.ranks.values() if found and found[0].get("host") == host()]
    moments = [event["clock"] for event in here if "clock" in event]
    finished = seen.times[1] if seen.times else when.finished
    return when._replace(finished=finished, seconds=max(moments) - begun if moments else when.seconds)


def begun(seen: Evidence) -> float:
    """When a group that another process started began, by this host's clock; now, if none of its ranks has started."""
    now, today = time.monotonic(), time.time()
    starts = [event for found in seen.ranks.values() for event in found if event["event"] == "start"]
    here = [event["clock"] for event in starts if event.get("host") == host() and "clock" in event]
    # The clocks of other hosts say nothing here; their dates do.
    return min(here or [now - max(0.0, today - event["time"]) for event in starts], default=now)


def of_events(seen: Evidence) -> When:
    """From the first to the last event, for a case whose end nobody saw."""
    now = time.time()
    started, finished = seen.times or (now, now)
    offsets = clocks.offsets(seen.ranks)
    moments = [clocks.moment(event, offsets[rank]) for rank, found in seen.ranks.items() for event in found]
    return When(started, finished, max(moments) - min(moments) if moments else 0.0)
