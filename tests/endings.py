"""A launcher that starts nothing, and a spec of it."""

#: a launcher whose groups have ended, as its option says, by the time that it has started them
SCRIPTED = '''
import json
from pathlib import Path

from benchspec import BenchspecError, Launcher, hookimpl

ENDS = {
    "ok": {"event": "done"},
    "oom": {"event": "failure", "outcome": "oom", "phase": "build", "reason": "CUDA out of memory"},
    "crash": {"event": "failure", "outcome": "crash", "phase": "train", "reason": "ValueError: no"},
    "mistake": {"event": "failure", "outcome": "crash", "phase": "data", "reason": "row 3: no output", "mistake": True},
}


class Ended:
    id = "nothing"
    poll = lambda self: 0
    stop = lambda self: None


class Scripted(Launcher):
    """Starts nothing."""

    name = "scripted"
    options_schema = {"properties": {"end": {"type": "string", "default": "ok"}}}

    def start(self, case_dir):
        if self.options["end"] == "raise":
            raise ZeroDivisionError("a bug in the launcher")
        end = self.options["end"]
        if end.startswith("fits-"):
            size = json.loads((case_dir / "case.json").read_text())["train"]["batch_size"]
            end = "ok" if size <= int(end.removeprefix("fits-")) else "oom"
        events = [{"event": "start", "rank": 0, "world": 1, "pid": 1}, ENDS[end]]
        lines = [json.dumps({"time": 1.0 + number, **event}) for number, event in enumerate(events)]
        (case_dir / "rank-0.jsonl").write_text("".join(line + "\\n" for line in lines))
        return Ended()

    def attach(self, id):
        return Ended()


@hookimpl
def benchspec_register():
    return [Scripted]
'''
SPEC = """
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 8}
  launcher: {name: scripted, end: ok}
experiments:
  ends:
    matrix:
      launcher.end: [%s]
"""
