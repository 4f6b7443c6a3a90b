"""Kills `benchspec run` at random moments of sweeps, and checks that nothing that had finished is lost or run again.

    python tests/campaigns/kills.py [--runs N] [--trees N] [--seed N] [FOLDER]

`--runs` (100) kills end the `run` process alone, `--trees` (40) every process of the tree at once, as a power cut would;
each sweep is resumed until it is done. After a kill no process is left, the journal holds whole lines, and a case all
of whose ranks were done gets its result from that attempt. Cases are quick: the ranks replay, a line at a time, what a
real case wrote. Every fifth sweep is of real cases. About fifteen minutes on two cores; exit code 1 where anything is
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conftest import BENCHSPEC, install

#: seconds in which every process of a killed run must be gone
GONE = 5.0
BASE = {
    "model": "opt-tiny",
    "dataset": {"name": "synthetic", "rows": 8},
    "backend": "single",
    "recipe": "loop",
    "train": {"precision": "fp32", "max_length": 512, "max_steps": 4, "epochs": 1},
}


class Sweep:
    """A sweep of cases in a folder of its own, run until it is done however often it is killed."""

    def __init__(self, folder: Path, cases: int, launcher: Any, environment: dict[str, str]):
        self.folder = folder
        self.run = folder / "runs/kills"
        self.environment = environment
        self.wrong: list[str] = []
        #: the attempts that had finished, by their evidence, when the run was killed
        self.finished: set[str] = set()
        folder.mkdir(parents=True)
        spec = {
            "benchspec": 1,
            "name": "kills",
            "defaults": {**BASE, "launcher": launcher},
            "experiments": {"one": {"matrix": {"train.seed": list(range(cases))}}},
        }
        (folder / "kills.yaml").write_text(json.dumps(spec))

    def start(self) -> subprocess.Popen[str]:
        log = (self.folder / "stderr.txt").open("a")
        command = [*BENCHSPEC, "run", "kills.yaml", "--reporter", "csv"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=log, text=True
        )

    def kill_after(self, seconds: float, *, begun: bool, tree: bool) -> bool:
        """Start or resume it, and kill it, counted from when its first case has begun; False if it was done before."""
        running = self.start()
        size = (self.folder / "stderr.txt").stat().st_size
        while begun and running.poll() is None and (self.folder / "stderr.txt").stat().st_size == size:
            time.sleep(0.01)
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            self._kill(running.pid, tree=tree)
            running.wait()
            self._check_after_kill()
            return True
        if code != 0:
            self.wrong.append(f"exit code {code} without a kill")
        return False

    def _kill(self, pid: int, *, tree: bool) -> None:
        everyone = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] if tree else []
        for process in everyone or [psutil.Process(pid)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def _check_after_kill(self) -> None:
        end = time.monotonic() + GONE
        while (left := self._left()) and time.monotonic() < end:
            time.sleep(0.02)
        self.wrong += [f"still there after {GONE} s: {name}" for name in left]
        self.finished |= self._done()
        self._journal()

    def _left(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if str(self.run) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[-80:])
        return found

    def _done(self) -> set[str]:
        """The attempts whose rank has written `done`."""
        files = self.run.glob("cases/*/*/*/rank-0.jsonl")
        return {str(file.parent) for file in files if b'"event":"done"' in file.read_bytes()}

    def _journal(self) -> list[dict[str, Any]]:
        file = self.run / "results.jsonl"
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            self.wrong.append(f"the journal: {error}")
            return []

    def check_whole(self, cases: int) -> None:
        """Once it is done: a result for each case, of the attempt that had finished."""
        lines = self._journal()
        ok = [line for line in lines if line["outcome"] == "ok"]
        if len(ok) != cases or len({line["case"] for line in ok}) != cases:
            self.wrong.append(f"{len(ok)} ok lines of {len({line['case'] for line in ok})} cases, not {cases}")
        told = {str(self.run / "cases" / line["experiment"] / line["case"] / line["attempt"]) for line in ok}
        self.wrong += [f"finished and not recorded: {path}" for path in self.finished - told]
        last = {str(max(folder.iterdir(), key=lambda path: int(path.name))) for folder in self.run.glob("cases/*/*")}
        self.wrong += [f"run again after it had finished: {path}" for path in told - last]


def campaign(folder: Path, kills: int, chance: random.Random, environment: dict[str, str], *, tree: bool) -> list[str]:
    """What was wrong in so many kills."""
    wrong: list[str] = []
    done = sweeps = 0
    while done < kills:
        sweeps += 1
        real = sweeps % 5 == 0
        cases, launcher = (3, {"name": "torchrun", "processes": 1}) if real else (12, "quick")
        sweep = Sweep(folder / f"{'tree' if tree else 'run'}-{sweeps}", cases, launcher, environment)
        # Starting takes as long as several quick cases: most kills come later.
        longest = 8.0 if real else 2.0
        while done < kills and sweep.kill_after(chance.uniform(0, longest), begun=chance.random() < 0.8, tree=tree):
            done += 1
        if sweep.start().wait(300) != 0:
            sweep.wrong.append("did not end with 0")
        sweep.check_whole(cases)
        wrong += [f"sweep {sweeps}: {each}" for each in sweep.wrong]
        print(f"{done} of {kills} kills, {sweeps} sweeps, {len(wrong)} wrong", file=sys.stderr, flush=True)
    return wrong


def recorded(folder: Path, environment: dict[str, str]) -> Path:
    """The events of one real case."""
    sweep = Sweep(folder, 1, {"name": "torchrun", "processes": 1}, environment)
    if sweep.start().wait(300) != 0:
        sys.exit((folder / "stderr.txt").read_text())
    return next(sweep.run.glob("cases/*/*/1/rank-0.jsonl"))


def main(folder: Path, runs: int, trees: int, seed: int) -> int:
    site = install(folder / "site", "quick", (HERE / "quick.py").read_text())
    environment = {**os.environ, "PYTHONPATH": str(site), "BENCHSPEC_CACHE": str(folder / "cache")}
    environment["REPLAYED"] = str(recorded(folder / "recorded", environment))
    chance = random.Random(seed)
    wrong = campaign(folder, runs, chance, environment, tree=False)
    wrong += campaign(folder, trees, chance, environment, tree=True)
    print("\n".join([*wrong, f"{runs} kills of run and {trees} of the tree: {len(wrong)} wrong"]))
    return int(bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the runs go; a temporary folder")
    parser.add_argument("--runs", type=int, default=100, help="kills of `benchspec run` alone")
    parser.add_argument("--trees", type=int, default=40, help="kills of every process of the tree")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = (given.folder or Path(tempfile.mkdtemp())).absolute()
    sys.exit(main(start, given.runs, given.trees, given.seed))
