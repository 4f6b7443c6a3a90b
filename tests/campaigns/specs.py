"""Broken specs: each must be planned or refused in clear lines, and cost little.

    python tests/campaigns/specs.py [--specs 5000] [--seed 1] [--processes 2]

Each spec is one of ours, or a longer one below that uses every part of the language, with one to three mutations: of
its text (lines, characters, tabs, bytes) or of its structure (values, keys, places), some with includes and `--set`. It
is checked and planned as `benchspec plan` and `benchspec validate` do. A fault is an exception other than the mistakes
that these commands print, a process that dies, more than 5 s of processor time, or more than 500 MB; exit code 1 where
there is one, each with its seed, which is all it takes to make the spec again. About ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.pool
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchspec.cases.case import launches
from benchspec.cases.check import check, missing, warnings
from benchspec.cases.needs import needed
from benchspec.cases.plans import as_json, as_table, planned
from benchspec.kinds.registry import Registry
from benchspec.spec import yaml12
from benchspec.terms.errors import BenchspecError, SpecError

ROOT = Path(__file__).parents[2]
SECONDS, MEGABYTES = 5.0, 500
#: every part of the language
WHOLE = """
benchspec: 1
name: whole
description: Every part of the language
x-short: &short {epochs: 1, max_steps: 4}
hardware: {name: custom, accelerators: 2, memory: 80 GiB, peak: {bf16: 1e15}}
defaults:
  dataset: {name: resampled, of: {name: synthetic, rows: 64}, rows: 128, seed: 7}
  method: full
  recipe: alpaca
  launcher: {name: torchrun, processes: 2}
  train: {<<: *short, batch_size: 2, precision: fp32, save: {final: true, every: 2, keep: 1}}
  measure: {warmup_steps: 1}
  limits: {timeout: 15 min}
experiments:
  grid:
    title: A grid
    matrix:
      model: [opt-tiny, {name: gpt-j-tiny, layers: 3}, bloom-tiny]
      backend: [ddp, {name: deepspeed, stage: 2}]
      train.seed: [1, 2]
      exclude:
        - {model: bloom-tiny, backend: ddp}
      include:
        - {model: bloom-tiny, train.batch_size: 4}
        - {model: opt-125m, backend: fsdp, train.seed: 3}
    expect:
      - {where: {model: opt-125m}, outcome: [oom, ok]}
  alone: {model: {name: opt, layers: 2, hidden: 8, heads: 2, weights: random, tokenizer: bytes}}
references:
  - source: a paper
    hardware: xe9680-h100
    metric: train_runtime
    values:
      - {experiment: grid, where: {model: opt-tiny}, value: 15 min}
      - {experiment: grid, slope: 3 min, per: {train.seed: 1}}
      - {experiment: alone, between: [1, 2]}
report: [table, {name: markdown, path: report.md}]
"""
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    1e300,
    2**63 - 1,
    2**64,
    "",
    "x" * 3000,
    "nan",
    "1e400 s",
    "0 s",
    "-3 h",
    "80 GiB",
    "~nobody/x",
    "../../x",
    "/dev/zero",
    "a\0b",
    "\u202e\x1b]52;c;aGk=\x07",
    "${{ matrix.x }}",
    "benchspec:alpaca",
    "acme:opt",
    "facebook/opt-125m",
    [],
    {},
    [[]],
    {"name": None},
    {"name": []},
    {"name": "opt-tiny", "of": {}},
    {"a": {"b": {"c": [{}]}}},
    list(range(3000)),
    {f"k{number}": number for number in range(500)},
]
WORDS = [
    "model",
    "dataset",
    "train",
    "matrix",
    "include",
    "exclude",
    "where",
    "name",
    "expect",
    "per",
    "value",
    "x-y",
    "of",
]
SNIPPETS = [
    "\t",
    "  ",
    "- ",
    ": ",
    "{",
    "[",
    "}",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    "!!python/name:os.system ",
    "|\n",
    "#",
    "---\n",
    "'",
    '"',
    "\\",
    "%",
    "@",
    "\u2028",
    "\ufeff",
    "\x00",
    "0x" + "f" * 5000,
    "[" * 3000,
    "- " * 3000,
    "9" * 5000,
    "${{ x }}",
]
SETS = [
    "defaults.train.seed=%s",
    "experiments.grid.model=%s",
    "train.epochs=%s",
    "name=%s",
    "%s",
    "hardware=%s",
    "x=%s",
]


def mutated(seed: int, folder: Path) -> tuple[Path, list[str]]:
    """A broken spec in a folder, and values of `--set`."""
    draw = random.Random(seed)
    text = draw.choice([WHOLE, *(file.read_text() for file in sorted((ROOT / "specs").glob("*.yaml")))])
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        change = draw.choice([_lines, _characters, _structure, _structure, _number, _number])
        text = change(text, draw)
    file = folder / "spec.yaml"
    content = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.05:
        place = draw.randrange(len(content) + 1)
        content = content[:place] + draw.randbytes(draw.randint(1, 9)) + content[place:]
    file.write_bytes(content)
    if draw.random() < 0.1:
        _include(file, draw)
    sets = [draw.choice(SETS) % draw.choice([*map(str, VALUES[:30]), "[1, 2]", "{a: 1}", "\udcff"])]
    return file, sets if draw.random() < 0.15 else []


def _lines(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    here, there = draw.randrange(len(lines)), draw.randrange(len(lines))
    for change in (
        lambda: lines.pop(here),
        lambda: lines.insert(there, lines[here]),
        lambda: lines.__setitem__(here, draw.choice(["\t", " ", "    "]) + lines[here]),
        lambda: lines.__setitem__(here, lines[here].lstrip()),
        lambda: lines.__setitem__(slice(here, None), []),
    )[(kind := draw.randrange(5)) : kind + 1]:
        change()
    return "".join(lines)


def _characters(text: str, draw: random.Random) -> str:
    here = draw.randrange(len(text) + 1)
    until = here if draw.random() < 0.6 else here + draw.randint(1, 30)
    return text[:here] + draw.choice([*SNIPPETS, ""]) + text[until:]


def _number(text: str, draw: random.Random) -> str:
    """The text with another number in it, most likely a spec that can be planned."""
    numbers = list(re.finditer(r"\b[0-9]+\b", text))
    if not numbers:
        return text
    here = draw.choice(numbers)
    return text[: here.start()] + str(draw.choice([1, 2, 3, 7, 64, 1000, 10**6, 10**12, 2**63])) + text[here.end() :]


def _structure(text: str, draw: random.Random) -> str:
    """The text of a tree with one value or key changed; text that is no YAML stays."""
    try:
        tree = yaml12.parse(text, "spec.yaml", ROOT).plain()
    except SpecError:
        return text
    places = list(_places(tree))
    if not places:
        return text
    parent, key = draw.choice(places)
    value = parent[key]
    match draw.randrange(7):
        case 0 | 1:
            parent[key] = draw.choice(VALUES)
        case 2:
            del parent[key]
        case 3:
            parent[key] = draw.choice([[value], {"name": value}, {draw.choice(WORDS): value}, [value, value]])
        case 4 if isinstance(parent, dict):
            parent[draw.choice([*WORDS, f"{key}x", f"{key}.y", ""])] = parent.pop(key)
        case 5:
            other, place = draw.choice(places)
            other[place] = json.loads(json.dumps(value))
        case _ if isinstance(parent, dict):
            parent[draw.choice(WORDS)] = draw.choice(VALUES)
    return yaml.safe_dump(tree, sort_keys=False) if draw.random() < 0.7 else json.dumps(tree)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a tree, as its container and its key there."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _places(tree[key])


def _include(file: Path, draw: random.Random) -> None:
    """Move a spec into a file that another includes, beside things that are no specs."""
    part = file.with_name("part.yaml")
    file.rename(part)
    os.mkfifo(file.with_name("pipe"))
    others = ["part.yaml", "/dev/zero", "pipe", "/etc/passwd", ".", "spec.yaml", "gone.yaml", "part.yaml, part.yaml"]
    file.write_text(f"benchspec: 1\ninclude: [{draw.choice(others)}, part.yaml]\n")


@dataclass(frozen=True)
class Outcome:
    seed: int
    #: "planned", "refused" or what went wrong
    word: str
    seconds: float
    detail: str = ""


def tried(seed: int, registry: Registry) -> Outcome:
    """What a mutated spec came to, in this process."""
    folder = Path(tempfile.mkdtemp())
    started = time.process_time()
    try:
        file, sets = mutated(seed, folder)
        started = time.process_time()
        word, detail = _planned(file, sets, registry), ""
    except Exception:
        word, detail = "exception", traceback.format_exc()
    finally:
        shutil.rmtree(folder)
    seconds = time.process_time() - started
    return Outcome(seed, "slow" if seconds > SECONDS and not detail else word, seconds, detail)


def _planned(file: Path, sets: list[str], registry: Registry) -> str:
    spec, expansion, problems = check(str(file), sets, registry)
    if spec is None or problems:
        assert problems and all(len(str(problem)) < 5000 and "\n" not in str(problem) for problem in problems)
        return "refused"
    needs = needed(spec, expansion)
    assert all(map(str, [*warnings(spec, expansion, needs), *missing(expansion)]))
    try:
        plans = planned(needs, expansion.cases, [], launches(expansion.cases))
    except BenchspecError:
        return "refused"
    assert json.loads(as_json(plans)) and as_table(plans, None, 100)
    return "planned"


def tried_apart(seeds: range, report: Callable[[Outcome], None]) -> None:
    """Try specs in a process of their own, again and again from the one after which it died or grew too large."""
    place = 0
    while place < len(seeds):
        here, there = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.Process(target=_child, args=(seeds[place:], there))
        child.start()
        there.close()
        died = True
        while here.poll(120):
            try:
                outcome = here.recv()
            except EOFError:
                break
            report(outcome)
            place += 1
            if outcome.word == "large" or place == len(seeds):
                died = False
                break
        child.kill() if child.is_alive() and died else child.join()
        child.join()
        if died and place < len(seeds):
            report(Outcome(seeds[place], "died or stood still", 0.0, f"exit code {child.exitcode}"))
            place += 1


def _child(seeds: range, out: Any) -> None:
    # A spec must not take the machine's memory before it is seen how much it takes.
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
    registry = Registry.load()
    # A process that was forked begins with the memory of its parent.
    before = _most_memory()
    for seed in seeds:
        outcome = tried(seed, registry)
        if _most_memory() - before > MEGABYTES:
            outcome = Outcome(seed, "large", outcome.seconds, outcome.detail)
        out.send(outcome)
        if outcome.word == "large":
            return


def _most_memory() -> float:
    """The most memory that this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(specs: int, first: int, processes: int) -> int:
    outcomes: list[Outcome] = []
    share = -(-specs // processes)
    parts = [range(start, min(start + share, first + specs)) for start in range(first, first + specs, share)]
    with multiprocessing.pool.ThreadPool(processes) as pool:
        pool.map(lambda seeds: tried_apart(seeds, outcomes.append), parts, chunksize=1)
    faults = [outcome for outcome in outcomes if outcome.word not in ("planned", "refused")]
    for fault in faults:
        print(f"seed {fault.seed}: {fault.word}, {fault.seconds:.1f} s\n{fault.detail}")
    counts = ", ".join(f"{count:,} {word}" for word, count in sorted(Counter(each.word for each in outcomes).items()))
    slowest = max(outcomes, key=lambda each: each.seconds)
    print(f"{len(outcomes):,} specs: {counts}; the slowest took {slowest.seconds:.2f} s (seed {slowest.seed})")
    return 1 if faults or len(outcomes) != specs else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    sys.exit(main(given.specs, given.seed, given.processes))
