"""How soon a rank that does not go on ends its case, and that a slow one does not.

    python tests/campaigns/hangs.py [FOLDER]

Real process groups of two ranks with the limits that users have: the second rank sleeps for ever, computes for ever, is
stopped by a signal, or holds Python's lock, after steps of 0.1, 1 and 10 s; and it pauses for ten of its steps of 0.1 to
60 s, once. Three cases run at a time. About 25 minutes; exit code 1 where an ending is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from conftest import install
from tabulate import tabulate
from test_end_to_end import HEAD

from benchspec import Result, load, run

#: 20 median steps, but 2 minutes at least
STEPS, LEAST = 20, 120
#: what a limit may be exceeded by: looking, keeping stacks, ending processes, on a busy machine
LATE = 15
HEADS = ["second rank", "step, s", "limit, s", "told after, s", "outcome", "rank", "phase", "reason"]


class Trial(NamedTuple):
    """What the second rank does, and how long its steps take in seconds."""

    fault: str
    sleep: float

    @property
    def hangs(self) -> bool:
        return self.fault != "pause"

    @property
    def limit(self) -> float:
        return max(LEAST, STEPS * self.sleep)


# The longest first, so that the others run beside it.
TRIALS = [
    Trial("pause", 60),
    *(Trial(fault, sleep) for sleep in (10, 1, 0.1) for fault in ("hang", "loop", "stop", "lock")),
    *(Trial("pause", sleep) for sleep in (5, 1, 0.1)),
]


def end(trial: Trial, folder: Path) -> Result:
    """Run a case with this fault after three steps; how it ended."""
    recipe = {"name": "plain", "rank": 1, "at": 3, "steps": 6, "fault": trial.fault, "sleep": trial.sleep}
    case = {"launcher": {"name": "torchrun", "processes": 2}, "recipe": recipe}
    folder.mkdir()
    (folder / "demo.yaml").write_text(f"{HEAD}experiments: {json.dumps({'two': case})}\n")
    (result,) = run(load(folder / "demo.yaml"), folder / "run")
    return result


def told_after(result: Result, folder: Path) -> float:
    """The seconds from the second rank's third step until its case had ended."""
    (file,) = folder.glob("run/cases/*/*/1/rank-1.jsonl")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return result.finished - next(event["time"] for event in events if event.get("step") == 3)


def row(trial: Trial, folder: Path) -> tuple[bool, list[object]]:
    """Whether a trial ended as it should, and its line of the table."""
    result = end(trial, folder)
    seconds = told_after(result, folder) if trial.hangs else None
    right = (
        (result.outcome, result.rank, result.phase) == ("hang", 1, "steady") and seconds <= trial.limit + LATE
        if trial.hangs
        else result.outcome == "ok"
    )
    limit = trial.limit if trial.hangs else None
    return right, [trial.fault, trial.sleep, limit, seconds, result.outcome, result.rank, result.phase, result.reason]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="keep what is written here")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp())
    site = str(install(folder / "site", "mischief", (TESTS / "mischief.py").read_text()))
    sys.path.insert(0, site)
    os.environ |= {"PYTHONPATH": site, "BENCHSPEC_CACHE": str(folder / "cache")}
    with ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(row, TRIALS, [folder / f"{trial.fault}-{trial.sleep}" for trial in TRIALS]))
    print(tabulate([line for _, line in rows], headers=HEADS, tablefmt="github", floatfmt=".4g"))
    return int(not all(right for right, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
