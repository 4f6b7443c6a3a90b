"""What the ranks of an attempt leave in its folder, written by tests."""

from __future__ import annotations

import json


def begin(phase):
    return {"event": "begin", "phase": phase}


def end(phase):
    return {"event": "end", "phase": phase}


def failure(outcome="crash", reason="ValueError: no", phase="steady", **fields):
    return {"event": "failure", "outcome": outcome, "phase": phase, "reason": reason, **fields}


DONE = {"event": "done"}
TRAINING = [begin("start"), end("start"), begin("train"), begin("steady")]


def leave(folder, *ranks, stderr="", world=None):
    """The files of a group whose ranks wrote these events, a second apart."""
    for rank, found in enumerate(ranks):
        events = [{"event": "start", "rank": rank, "world": world or len(ranks), "pid": 1}, *found]
        lines = [json.dumps({"time": float(number), **event}) for number, event in enumerate(events)]
        (folder / f"rank-{rank}.jsonl").write_text("".join(line + "\n" for line in lines))
    (folder / "stderr.log").write_text(stderr)
    return folder
