"""How long cases take from their start to their first step, started cold and warm.

    python benchmarks/warm.py [--cases 5] [--processes 1] [--recipe alpaca]

Cases of a tiny model, cold and warm in turns. It prints the time from when a case's processes are started to the end of
its first step, of each case; the first warm one makes the process that the others are forked from. Target: at most
1.5 s for those.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BENCHSPEC = Path(sys.executable).with_name("benchspec")
TARGET = 1.5


def seconds(cases: int, processes: int, recipe: str) -> dict[bool, list[float]]:
    """Of each case, cold and warm, the time to the end of its first step."""
    spec = {
        "benchspec": 1,
        "name": "starts",
        "defaults": {
            "model": "opt-tiny",
            "dataset": {"name": "synthetic", "rows": 64},
            "recipe": recipe,
            "launcher": {"name": "torchrun", "processes": processes},
            "train": {"precision": "fp32", "max_length": 512, "max_steps": 2, "batch_size": 1},
        },
        "experiments": {"starts": {"matrix": {"train.seed": list(range(cases)), "launcher.warm": [False, True]}}},
    }
    with tempfile.TemporaryDirectory() as folder:
        file, run = Path(folder) / "starts.yaml", Path(folder) / "run"
        file.write_text(json.dumps(spec))
        subprocess.run([BENCHSPEC, "run", file, "--out", run], check=True, stdout=subprocess.DEVNULL)
        found: dict[bool, list[float]] = {False: [], True: []}
        for line in (run / "results.jsonl").read_text().splitlines():
            result = json.loads(line)
            attempt = run / "cases" / result["experiment"] / result["case"] / result["attempt"]
            events = map(json.loads, (attempt / "rank-0.jsonl").read_text().splitlines())
            first = next(event for event in events if event["event"] == "step")
            found[result["axes"]["launcher.warm"]].append(first["time"] - result["started"])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--recipe", default="alpaca")
    arguments = parser.parse_args()
    found = seconds(arguments.cases, arguments.processes, arguments.recipe)
    for warm, name in ((False, "cold"), (True, "warm")):
        each = ", ".join(f"{one:.2f}" for one in found[warm])
        later = statistics.median(found[warm][1:])
        target = f" (target ≤ {TARGET})" if warm else ""
        print(f"{name}: {later:.2f} s in the median after the first{target}; each: {each}")


if __name__ == "__main__":
    main()
