"""How many times a bare Python the light commands take, as whole processes in turn.

    python benchmarks/startup.py [--rounds 15]

Target: at most 20 times `python -c pass` each. The processes of a round follow each other, so that what else the
machine does meets all of them; what is told is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

SPEC = Path(__file__).parents[1] / "specs" / "xe9680.yaml"
BENCHSPEC = Path(sys.executable).with_name("benchspec")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "benchspec --version": [BENCHSPEC, "--version"],
    "benchspec validate": [BENCHSPEC, "validate", SPEC],
    "benchspec plan": [BENCHSPEC, "plan", SPEC],
}
TARGET = 20


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
        print(f"{name:20} {1000 * median:6.0f} ms {statistics.median(ratios):6.1f} × ({spread}; target ≤ {TARGET})")


if __name__ == "__main__":
    main()
