"""Mutated data files: each gives rows, or one clear line that names the file.

    python tests/campaigns/data.py [SEED]

Valid JSON and JSON Lines files in Alpaca's format, which first-party data sets read, are damaged in their bytes, their
text and their structure, and read in this process; some go through `benchspec run` too. It prints how many gave rows and how many a line, and fails for a traceback, for more than 5 s a file, or for more than
500 MB.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchspec import BenchspecError, Row
from benchspec_plugins.datasets.alpaca import Alpaca

FILES = 2500
THROUGH_RUN = 12
LONGEST, LARGEST = 5.0, 500e6
NASTY: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, "", " ", "\0", "\ud800", "\u2028", "{", "x" * 100_000, [], {}, [[]], {"a": {}}
)  # fmt: skip
TEXTS = (
    "NaN",
    "Infinity",
    "1" * 6000,
    "[" * 5000,
    '{"a":' * 3000,
    "'",
    "\\u",
    "\ufeff",
    "//",
    ",,",
    "\r",
    "\t",
    "\x1b[2J",
)
SPEC = """
benchspec: 1
name: data
experiments:
  one: {{model: opt-tiny, dataset: {{name: alpaca, path: {path}}}, launcher: {{name: torchrun, processes: 1}},
    train: {{precision: fp32, max_steps: 2, batch_size: 1, gradient_accumulation: 1}}}}
"""


def rows(draw: random.Random) -> list[dict[str, Any]]:
    """A few valid rows."""
    words = ("Name", "a", "colour", "“red”", "数", "😀", 'quote"', "back\\slash", "line\nbreak")
    keys = ("instruction", "input", "output")
    return [
        {
            key: " ".join(draw.choices(words, k=draw.randint(1, 8)))
            for key in keys
            if key != "input" or draw.random() < 0.7
        }
        for _ in range(draw.randint(1, 6))
    ]


def damaged_values(draw: random.Random, values: list[Any]) -> Any:
    """Rows with a mistake in their structure."""
    place = draw.randrange(len(values))
    row = values[place]
    change = draw.randrange(8)
    if change == 0:
        values[place] = draw.choice(NASTY)
    elif change == 1:
        row[draw.choice(list(row))] = draw.choice(NASTY)
    elif change == 2:
        row.pop(draw.choice(list(row)))
    elif change == 3:
        key = draw.choice(list(row))
        row[draw.choice((key.upper(), f"{key}s", f" {key}", "", "\0"))] = row.pop(key)
    elif change == 4:
        return {"data": values}
    elif change == 5:
        return draw.choice(NASTY)
    elif change == 6:
        values.insert(place, [row])
    return values


def encoded(draw: random.Random, values: Any) -> str:
    """JSON or JSON Lines."""
    if isinstance(values, list) and draw.random() < 0.5:
        return "\n".join(json.dumps(value, ensure_ascii=draw.random() < 0.5) for value in values)
    return json.dumps(values, indent=draw.choice((None, 1)), ensure_ascii=draw.random() < 0.5)


def damaged_bytes(draw: random.Random, content: bytes) -> bytes:
    """A file with a mistake in its bytes or its text."""
    place, end = sorted(draw.choices(range(len(content) + 1), k=2))
    return draw.choice(
        (
            lambda: content[:place],
            lambda: content[:place] + content[end:],
            lambda: content[:place] + bytes(draw.choices(range(256), k=draw.randint(1, 4))) + content[end:],
            lambda: content[:place] + draw.choice(TEXTS).encode() + content[place:],
            lambda: content[:place] + content[place:end] * draw.randint(2, 50) + content[end:],
            lambda: content.decode().encode(draw.choice(("utf-16", "latin-1", "utf-32")), "replace"),
            lambda: content.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\0", b""))),
        )
    )()


def files(draw: random.Random, folder: Path) -> Iterator[Path]:
    """An endless sequence of damaged files; some are no file at all."""
    number = 0
    while True:
        number += 1
        path = folder / f"{number}{draw.choice(('.json', '.jsonl', '.txt'))}"
        values = rows(draw)
        content = encoded(draw, damaged_values(draw, values) if draw.random() < 0.6 else values)
        raw = content.encode("utf-8", "surrogatepass")
        path.write_bytes(damaged_bytes(draw, raw) if draw.random() < 0.6 and b"\xed" not in raw else raw)
        if draw.random() < 0.01:
            path.unlink()
            draw.choice((path.mkdir, lambda path=path: None))()
        yield path


def read(path: Path) -> str:
    """`rows` or `line`; raises for anything else."""
    try:
        found = Alpaca({"path": str(path)}).rows()
    except BenchspecError as error:
        text = str(error)
        if not text.startswith(str(path)) or len(text.splitlines()) != 1 or len(text) > 1000:
            raise AssertionError(f"no clear line: {text[:300]!r}") from error
        return "line"
    if not found or not all(isinstance(row, Row) and all(isinstance(field, str) for field in row) for row in found):
        raise AssertionError("neither rows nor a line")
    return "rows"


def campaign(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """How many files gave what, and what went wrong."""
    draw, counts, wrong = random.Random(seed), Counter[str](), []
    for path in (file for file, _ in zip(files(draw, folder), range(count), strict=False)):
        begun = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                counts[read(path)] += 1
        except Exception as error:
            wrong.append(f"{path}: {type(error).__name__}: {error}")
        if (seconds := time.monotonic() - begun) > LONGEST:
            wrong.append(f"{path}: {seconds:.1f} s")
    if (peak := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024) > LARGEST:
        wrong.append(f"{peak / 1e6:.0f} MB of memory")
    return counts, wrong


def through_run(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """The same of files that give a line, through the real command: the line, exit code 2, and no traceback."""
    draw, counts, wrong = random.Random(seed), Counter[str](), []
    for path in files(draw, folder):
        if sum(counts.values()) + len(wrong) >= count:
            break
        if path.is_dir() or not path.exists() or read(path) == "rows":
            continue
        spec = folder / "spec.yaml"
        spec.write_text(SPEC.format(path=json.dumps(str(path))))
        program = [sys.executable, "-c", "from benchspec.cli import main; main()"]
        command = [*program, "run", str(spec), "--out", str(folder / "run"), "--fresh"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
        clear = done.returncode == 2 and str(path) in done.stderr and "Traceback" not in done.stderr + done.stdout
        if clear:
            counts["line of run"] += 1
        else:
            wrong.append(f"{path}: exit code {done.returncode}: {done.stderr[-300:]}")
    return counts, wrong


def main() -> int:
    """Run both parts and print what came of them."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    wrong: list[str] = []
    parts: list[tuple[Callable[..., Any], int]] = [(campaign, FILES), (through_run, THROUGH_RUN)]
    for part, count in parts:
        with tempfile.TemporaryDirectory() as folder:
            counts, found = part(count, seed, Path(folder))
        print(f"{part.__name__}, seed {seed}: {count} files: {dict(counts)}, {len(found)} wrong")
        wrong += found
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
