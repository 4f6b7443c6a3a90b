"""How many times a bare Python the light commands take, as whole processes in turn.

    python benchmarks/startup.py [--rounds 15]

Targets: at most 5 times `python -c pass` for `--help`, 15 times for `validate` and 20 times for `plan`; and 2,000 cases
planned in 1 s of processor time. The processes of a round follow each other, so that what else the machine does meets
all of them; what is told is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = Path(__file__).parents[1] / "specs" / "xe9680.yaml"
BENCHSPEC = Path(sys.executable).with_name("benchspec")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "benchspec --help": [BENCHSPEC, "--help"],
    "benchspec validate": [BENCHSPEC, "validate", SPEC],
    "benchspec plan": [BENCHSPEC, "plan", SPEC],
}
TARGETS = {"benchspec --help": 5, "benchspec validate": 15, "benchspec plan": 20}
CASES = {
    "benchspec": 1,
    "name": "many",
    "defaults": {"dataset": {"name": "synthetic", "rows": 100}, "launcher": {"name": "torchrun", "processes": 1}},
    "experiments": {
        "many": {
            "matrix": {"model": ["opt-tiny", "opt-125m"], "train.seed": [*range(100)], "train.epochs": [*range(1, 11)]}
        }
    },
}


def seconds(command: list[str | Path]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for command in COMMANDS.values():
        seconds(command)  # compiles to bytecode, and fills the file cache
    times = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    for name in COMMANDS:
        ratios = sorted(one[name] / one["python -c pass"] for one in times)
        median = statistics.median(one[name] for one in times)
        spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
        target = f"; target ≤ {TARGETS[name]}" if name in TARGETS else ""
        print(f"{name:20} {1000 * median:6.0f} ms {statistics.median(ratios):6.1f} × ({spread}{target})")
    print(f"2,000 cases planned in {planning():.2f} s of processor time (target ≤ 1)")


def planning() -> float:
    """Seconds of processor time in which 2,000 cases are planned."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        file.write_text(json.dumps(CASES))
        before = os.times()
        subprocess.run([BENCHSPEC, "plan", file, "--format", "json"], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
