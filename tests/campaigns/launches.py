"""How often `compare` calls equal runs different, and how often it finds a slowdown, by real launches.

    python tests/campaigns/launches.py record RUN [--launches 290]
    python tests/campaigns/launches.py draw RUN

`record` launches a small case that often, ten seconds each; with seven of ten launches nothing is the matter, one each
has steps that take 2%, 5% and 10% longer. Let it run on a machine that does nothing else. `draw` makes comparisons of
launches that were drawn from them at random, none twice in a comparison: 300 of equal with equal launches, which exit
code 1 limits to one false alarm, and 300 of each slowdown with as many launches. RUN may also be a JSON file that `draw`
has written with --save.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from slowed import SLOWER
from tabulate import tabulate

from benchspec.results.comparing.compare import THRESHOLD
from benchspec.results.comparing.ratio import ratio, verdict

SPEC = """
benchspec: 1
name: launches
experiments:
  one:
    model: opt-tiny
    recipe: slowed
    dataset: {name: synthetic, rows: 128}
    train: {precision: fp32, max_steps: 24, batch_size: 2, gradient_accumulation: 2, max_length: 800}
"""
COMPARISONS = 300
COUNTS = (5, 10)
WORDS = ("same", "worse", "better", "undecided")
HERE = Path(__file__).parent
#: share by which launches are slower -> their rows/s
Launches = Mapping[float, Sequence[float]]


def record(folder: Path, launches: int) -> int:
    """Launch the case; what has been recorded in the folder already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    info = folder / "site" / "slowed-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[benchspec]\nslowed = slowed\n")
    spec = folder / "launches.yaml"
    spec.write_text(SPEC)
    path = os.pathsep.join([str(HERE), str(folder / "site")])
    options = ["--out", folder / "run", "--repeats", str(launches), "--reporter", "table"]
    command = [sys.executable, "-c", "from benchspec.cli import main; main()", "run", spec, *options]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


def recorded(path: Path) -> dict[float, list[float]]:
    """The rows/s of the launches that are ok, in the order in which they ran, by how much slower they are."""
    if path.is_file():
        return {float(share): rates for share, rates in json.loads(path.read_text()).items()}
    found: dict[float, list[float]] = {share: [] for share in (0.0, *SLOWER.values())}
    for line in (path / "run" / "results.jsonl").read_text().splitlines():
        result = json.loads(line)
        if result["outcome"] == "ok":
            found[SLOWER.get(result["launch"] % 10, 0.0)].append(result["metrics"]["rows_per_second"])
    return found


def draw(launches: Launches, save: Path | None) -> int:
    """Compare launches drawn at random; print how often each verdict was reached."""
    if save:
        save.write_text(json.dumps(launches))
    for share, rates in launches.items():
        vary = 100 * stdev(rates) / mean(rates)
        print(f"{100 * share:g}% slower: {len(rates)} launches, {mean(rates):.2f} rows/s, varying by {vary:.2f}%")
    drawn, rows, alarms = random.Random(1), [], 0
    for count in COUNTS:
        for share in launches:
            verdicts = Counter(_verdict(drawn, launches, share, count) for _ in range(COMPARISONS))
            rows.append([f"{100 * share:g}%", count, *(verdicts[word] for word in WORDS)])
            alarms += (verdicts["worse"] + verdicts["better"]) if share == 0 else 0
    print(tabulate(rows, headers=["slower by", "launches", *WORDS]))
    return int(alarms > len(COUNTS))


def _verdict(drawn: random.Random, launches: Launches, share: float, count: int) -> str:
    """The verdict on launches drawn without putting any back: of equal ones for a share of 0."""
    if share:
        base, head = (drawn.sample(launches[each], count) for each in (0.0, share))
    else:
        both = drawn.sample(launches[0.0], 2 * count)
        base, head = both[:count], both[count:]
    interval = ratio(base, head, 1).interval
    assert interval
    return verdict(interval, THRESHOLD, "higher")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["record", "draw"])
    parser.add_argument("run", type=Path)
    parser.add_argument("--launches", type=int, default=290)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    return record(given.run, given.launches) if given.what == "record" else draw(recorded(given.run), given.save)


if __name__ == "__main__":
    sys.exit(main())
