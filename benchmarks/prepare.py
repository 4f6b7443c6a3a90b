"""What preparing token arrays costs beyond one batch call of the tokenizer's, and what ten million resampled rows cost.

    python benchmarks/prepare.py [--rows ROWS.json] [--tokenizer FOLDER] [--count 52002] [--repeats 3]

ROWS.json holds a list of {instruction, input, output}, varied and repeated up to COUNT; without it the rows are the
synthetic dataset's. Each variant is measured in turn, so that a machine that slows down slows all of them. Targets: at
most 1.15 times a bare call over the whole texts, and 2% more for the resampled rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchspec.kinds.bases import Dataset, Row

RESAMPLED = 10_000_000


class Fixed(Dataset):
    """Rows that are there, each once or resampled."""

    name = "fixed"

    def __init__(self, rows: Sequence[Row], places: int | None):
        super().__init__({})
        self._rows, self._places = rows, places

    def rows(self) -> Sequence[Row]:
        return self._rows

    def order(self) -> Any:
        import numpy as np

        return None if self._places is None else np.random.default_rng(42).integers(0, len(self._rows), self._places)


def read_rows(file: Path | None, count: int) -> list[Row]:
    if file is None:
        from benchspec_plugins.datasets.synthetic import Synthetic

        return list(Synthetic({"rows": count, "seed": 42}).rows())
    given = json.loads(file.read_text())
    rows = [given[place % len(given)] for place in range(count)]
    return [Row(f"{row['instruction']} ({place})", row["input"], row["output"]) for place, row in enumerate(rows)]


def strings(rows: Sequence[Row], eos: str) -> list[str]:
    from benchspec_plugins.recipes.alpaca import Alpaca

    prompts = (
        Alpaca.templates["with_input" if row.input else "without_input"].format(
            instruction=row.instruction, input=row.input
        )
        for row in rows
    )
    return [f"{prompt}{row.output}{eos}" for prompt, row in zip(prompts, rows, strict=True)]


def bare(rows: Sequence[Row], tokenizer: Any) -> float:
    """Seconds in the tokenizer's batch call on the whole texts, in chunks of `prepare`'s size.

    All rows in one call take longer: their encodings fill the memory.
    """
    from benchspec.worker.data.arrays import CHUNK

    texts = strings(rows, tokenizer.eos_token)
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(512)
    encode = getattr(backend, "encode_batch_fast", backend.encode_batch)
    start = time.perf_counter()
    for place in range(0, len(texts), CHUNK):
        encode(texts[place : place + CHUNK])
    seconds = time.perf_counter() - start
    backend.no_truncation()
    return seconds


def ours(rows: Sequence[Row], tokenizer: Any, places: int | None) -> float:
    """Seconds of `prepare` with an empty cache."""
    from benchspec.worker.data.encode import encoder_for
    from benchspec.worker.data.prepare import Request, prepare
    from benchspec_plugins.recipes.alpaca import Alpaca

    with tempfile.TemporaryDirectory() as folder:
        where = {"pointers": Path(folder) / "pointers", "cache": Path(folder) / "cache"}
        start = time.perf_counter()
        request = Request(
            dataset=Fixed(rows, places),
            settings={"name": "fixed"},
            encoder=encoder_for(tokenizer),
            templates=Alpaca.templates,
            max_length=512,
        )
        prepare(request, invocation="1", **where)
        return time.perf_counter() - start


def measure(variant: str, rows: Sequence[Row], tokenizer: Any) -> dict[str, float]:
    """Seconds and peak memory in bytes of one variant; each runs in a process of its own, for its peak's sake."""
    if variant == "bare":
        seconds = bare(rows, tokenizer)
    else:
        seconds = ours(rows, tokenizer, RESAMPLED if variant == "resampled" else None)
    return {"seconds": seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def child(arguments: argparse.Namespace, variant: str) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--variant", variant]
    done = subprocess.run(command, env=os.environ, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def report(runs: dict[str, list[dict[str, float]]]) -> None:
    seconds = {name: statistics.median(run["seconds"] for run in done) for name, done in runs.items()}
    memory = {name: statistics.median(run["memory"] for run in done) for name, done in runs.items()}
    for name in runs:
        each = ", ".join(f"{run['seconds']:.2f}" for run in runs[name])
        print(f"{name:10} {seconds[name]:7.2f} s (each: {each})  {memory[name] / 1e6:6.0f} MB")
    print(f"prepare / bare batch call:  {seconds['prepare'] / seconds['bare']:.3f}")
    print(f"resampled / prepare:        {seconds['resampled'] / seconds['prepare']:.3f}")
    print(f"resampled - prepare:        {(memory['resampled'] - memory['prepare']) / 1e6:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--count", type=int, default=52_002)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variant", choices=["bare", "prepare", "resampled"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
        print(json.dumps(measure(arguments.variant, read_rows(arguments.rows, arguments.count), tokenizer)))
        return
    runs: dict[str, list[dict[str, float]]] = {"bare": [], "prepare": [], "resampled": []}
    for _ in range(arguments.repeats):
        for variant, done in runs.items():
            done.append(child(arguments, variant))
    report(runs)


if __name__ == "__main__":
    main()
