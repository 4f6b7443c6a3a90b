"""Broken journals, run files and events by the thousand: each is used, or refused in one clear line.

    python tests/campaigns/evidence.py [--files 2000] [--events 1000] [--seed 0]

Whole run directories and attempts are changed at random: bytes lost, added and exchanged; values of another type, too
large, too deep; files emptied, torn, and replaced by folders. What is left is read as `run` and `report` read it, and
shown by every printed reporter. A line counts each way that it can end; exit code 1 where there was a traceback, or one
took more than 5 s, or the process grew by more than 500 MB. About five minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchspec import Facts
from benchspec.cases.case import Launch
from benchspec.kinds.registry import Registry
from benchspec.reports import render
from benchspec.results import Results, append, evidence, read_journal
from benchspec.results.events import Tail
from benchspec.results.plausible import contradiction
from benchspec.running import when
from benchspec.running.ending import judge
from benchspec.running.progress import View
from benchspec.running.record import record
from benchspec.terms.errors import BenchspecError

SECONDS, BYTES = 5.0, 500 << 20
#: values that no field expects
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**64, 10**400, -(10**400), 1.5, 1e-300, 1e99, -1e299, 1e308, -1e308, float("nan"), float("inf"), "", "ok",
    "x" * 100_000, "\ud800", "\x1b]52;c;YQ==\x07", "‮", [], {}, [[]], {"name": 3}, [None] * 1_000,
)  # fmt: skip
#: names that stand for so many levels of mappings and lists, each twice
DEEP = {"deep 2": 2, "deep 25": 25, "deep 450": 450, "deep 50000": 50_000}
FACTS = Facts(accelerator=None, accelerators=0)
COUNTS = {"rows": 8, "tokens": 900, "padded_tokens": 1000, "loss_tokens": 500}
SHAPE = {
    "layers": 2, "hidden": 64, "heads": 2, "ffn": 256, "vocabulary": 512, "positions": 64, "tied_head": True,
    "parameters": 100_000, "lookup_parameters": 40_000,
}  # fmt: skip


def rank(number: int, world: int) -> list[dict[str, Any]]:
    """The events of a rank that finished."""
    said: list[dict[str, Any]] = [
        {"event": "start", "rank": number, "world": world, "pid": 1, "host": "a"},
        {"event": "begin", "phase": "start"},
        {"event": "end", "phase": "start"},
        {"event": "data", "rows": 100, "words": 900, "tokens": 1000, "planned_steps": 12},
        {"event": "model", "parameters": 100_000, "trainable_parameters": 100_000, "dtype": "float32", "shape": SHAPE,
         "share": {"learning": 9, "reached": 9, "layers": 2}, "precision": "fp32", "tf32": False, "method": "full"},
        {"event": "begin", "phase": "train"},
        {"event": "begin", "phase": "first-step"},
        *({"event": "step", "step": step, **COUNTS, "loss": 2.0, "grad_norm": 1.0} for step in range(1, 13)),
        {"event": "end", "phase": "train"},
        {"event": "memory", "allocated": 10, "reserved": 20, "host": 30},
        {"event": "energy", "joules": 3.5},
        {"event": "proof", "finite_losses": True, "dtype": "float32"},
        {"event": "done"},
    ]  # fmt: skip
    return [{"time": 1e9 + place, "clock": 50.0 + place, **event} for place, event in enumerate(said)]


def result(number: int) -> dict[str, Any]:
    """A line of the journal: the result of a rank that finished, and every third one of a case that did not."""
    ends = ("oom", "build", 0, "OutOfMemoryError: CUDA out of memory") if number % 3 == 0 else ("ok", None, None, None)
    return {
        "schema": 3, "case": f"opt-{number}", "attempt": "1", "experiment": "sizes", "axes": {"train.seed": number},
        **dict(zip(("outcome", "phase", "rank", "reason"), ends, strict=True)),
        "metrics": {"train_runtime": 903.2, "mfu": 0.4, "steps": 12, "cost": 3.5, "energy": 1e6, "final_loss": 1.5},
        "basis": {"cost": "predicted"}, "intervals": {"step_time_mean": [1.0, 2.0]}, "proof": {}, "record": {},
        "started": 1e9, "finished": 2e9, "warnings": ["a warning"], "log": [] if ends[0] == "ok" else ["a", "b"],
    }  # fmt: skip


def run_file() -> dict[str, Any]:
    published = {"source": "a paper", "hardware": "h200", "metric": "train_runtime"}
    return {
        "schema": 1, "name": "demo", "spec": {}, "report": ["table", {"name": "csv", "path": "a.csv"}],
        "machine_line": "8 × H100", "hardware": "cpu", "other_figures": None, "started": 1e9,
        "experiments": {"sizes": {"title": "By size"}},
        "slopes": [{"experiment": "sizes", "metric": "train_runtime", "slope": 3, "per": {"train.seed": 1},
                    "source": "a paper", "hardware": None}],
        "published": {f"sizes/opt-{number}": [{**published, "value": 900}, {**published, "between": [1, 2]}]
                      for number in range(4)},
        "cases": [["sizes", f"opt-{number}"] for number in range(4)],
        "expected": {"sizes/opt-0": ["oom"]},
    }  # fmt: skip


def changed_value(draw: random.Random, value: Any) -> Any:
    """The value with one part lost, renamed, doubled or replaced by something odd."""
    value = copy.deepcopy(value)
    holder, key = draw.choice(list(places(value)))
    match draw.randrange(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case 2:
            holder[key] = draw.choice(list(DEEP))
        case 3:
            holder[key] = draw.choice(ODD)
        case _:
            # Of the same type, which more often follows the schema.
            holder[key] = draw.choice([each for each in ODD if type(each) is type(holder[key])] or ODD)
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(mapping or list, key or index) of everything within a value."""
    for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(each, dict | list):
            yield from places(each)


def changed_bytes(draw: random.Random, text: bytes) -> bytes:
    """The text torn, emptied, with bytes lost, added or exchanged, or with a line of something else."""
    place = draw.randrange(len(text) + 1)
    match draw.randrange(9):
        case 0:
            return text[:place]
        case 1:
            return b""
        case 2:
            return text[:place] + text[place + draw.randrange(200) :]
        case 3:
            return text[:place] + bytes(draw.randrange(256) for _ in range(5)) + text[place:]
        case 4:
            return text[:place] + b"\0" * 4096 + text[place:]
        case 5:
            return b"[" * 100_000 + text
        case 6:
            return text.replace(b"1", b"9" * draw.choice([30, 5_000]), 3)
        case 7:
            return text.replace(
                b"\n", b"\n" + draw.choice([b"Hello", b"[1]", b'{"event":"birthday"}', b"\xff"]) + b"\n"
            )
        case _:
            return text.replace(draw.choice([b",", b":", b'"', b"{", b"e"]), b"", 2)


def encoded(value: Any) -> bytes:
    """A value as a line of JSON; a name of `DEEP` becomes what it stands for."""
    text = json.dumps(value)
    for name, levels in DEEP.items():
        text = text.replace(f'"{name}"', '{"a":[' * levels + "1" + "]}" * levels)
    return text.encode() + b"\n"


def broken_run(draw: random.Random, folder: Path) -> None:
    """A run directory whose journal or run.json was changed, by its values or by its bytes."""
    run, found = run_file(), [result(number) for number in range(4)]
    for _ in range(draw.choice([1, 1, 2])):
        if draw.random() < 0.5:
            run = changed_value(draw, run)
        else:
            found[draw.randrange(4)] = changed_value(draw, found[1])
    texts = {"run.json": encoded(run), "results.jsonl": b"".join(map(encoded, found))}
    if draw.random() < 0.4:
        name = draw.choice(list(texts))
        texts[name] = changed_bytes(draw, texts[name])
    for name, text in texts.items():
        (folder / name).write_bytes(text)


def broken_attempt(draw: random.Random, folder: Path) -> None:
    """An attempt's folder, some of whose events or files were changed."""
    world = draw.choice([1, 2, 3])
    for number in range(world):
        events = rank(number, world)
        for _ in range(draw.choice([0, 1, 3])):
            place = draw.randrange(len(events))
            match draw.randrange(4):
                case 0:
                    del events[place]
                case 1:
                    events.insert(place, draw.choice(events))
                case _:
                    events[place] = changed_value(draw, events[place]) or {"event": "done"}
        text = b"".join(map(encoded, events))
        (folder / f"rank-{number}.jsonl").write_bytes(changed_bytes(draw, text) if draw.random() < 0.3 else text)
    odd = draw.choice(["rank-x.jsonl", "rank-3.jsonl", "rank-٣.jsonl", "rank-.jsonl", "rank-007.jsonl", "stderr.log"])
    if draw.random() < 0.3:
        (folder / odd).mkdir()
    elif draw.random() < 0.3:
        (folder / odd).write_bytes(draw.choice([b"", b"\xff" * 100, b"what(): \x1b[31m\n" * 10, b"x" * (2 << 20)]))


def read_back(folder: Path, registry: Registry) -> str:
    """Read a run directory and print it by every reporter; what became of it."""
    try:
        results = Results.load(folder)
        results.as_expected()
        for name in ("table", "markdown", "csv", "json"):
            list(render.printed(registry, results, [name]))
    except BenchspecError as error:
        return told(str(error))
    return "read"


def told(line: str) -> str:
    """A refusal; raises where it is not one short line that names what it is about."""
    if "\n" in line or len(line) > 1_000:
        raise AssertionError(f"not one short line: {line!r}")
    if "the reporter" in line:
        raise AssertionError(f"a reporter is blamed: {line}")
    return "refused"


def recorded(folder: Path) -> str:
    """Judge an attempt, write its line, and read it back; the outcome."""
    case = SimpleNamespace(
        id="opt", experiment="sizes", full_name="sizes/opt", axes={}, train={"batch_size": 4, "gradient_accumulation": 2, "max_length": 512, "max_steps": None, "epochs": 3},
        measure={"warmup_steps": None}, sampled_to=None, repeats=1,
    )  # fmt: skip
    launch = Launch(case, 1)  # type: ignore[arg-type]
    view = View(1, launch)
    for rank, event in Tail(folder).new():
        view.update(rank, event)
        view.text(3)
    seen = evidence.read(folder)
    contradiction(seen.ranks, seen.steps, case.train, "loop")
    ending = judge(seen, {0: -6})
    append(folder, record(launch, folder, seen, ending, FACTS, when.of_events(seen)))
    (found,) = read_journal(folder)
    evidence.read(folder)
    if found.outcome != "ok" and not found.reason:
        raise AssertionError("no reason")
    return found.outcome


def campaign(
    kind: str, count: int, seed: int, make: Callable[[random.Random, Path], None], use: Callable[[Path], str]
) -> tuple[Counter[str], list[str]]:
    """How so many changed folders ended, and what went wrong: a traceback, more time or more memory than allowed."""
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    before = _peak()
    for number in range(count):
        folder = Path(tempfile.mkdtemp(prefix="benchspec-"))
        begin = time.monotonic()
        try:
            make(random.Random(f"{seed} {kind} {number}"), folder)
            ends[use(folder)] += 1
        except Exception:
            wrong.append("\n".join([f"{kind} {number}:", *traceback.format_exc().splitlines()[-9:]]))
        if (seconds := time.monotonic() - begin) > SECONDS:
            wrong.append(f"{kind} {number}: {seconds:.1f} s")
        shutil.rmtree(folder)
    if (grown := _peak() - before) > BYTES:
        wrong.append(f"{kind}: {grown >> 20} MB")
    return ends, wrong


def _peak() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def runs(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Changed journals and run files."""
    registry = Registry.load()
    return campaign("run", count, seed, broken_run, lambda folder: read_back(folder, registry))


def attempts(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Changed sets of events."""
    return campaign("events", count, seed, broken_attempt, recorded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    wrong: list[str] = []
    for title, found in (
        ("journals and run files", runs(asked.files, asked.seed)),
        ("sets of events", attempts(asked.events, asked.seed)),
    ):
        ends, problems = found
        wrong += problems
        print(f"{title}: {', '.join(f'{count} {end}' for end, count in ends.most_common())}; {len(problems)} wrong")
    for problem in wrong[:20]:
        print(problem)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
