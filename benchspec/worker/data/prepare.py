"""A request for tokens -> the token arrays that answer it, from the host's cache where they are there.

An order in which rows repeat is an int32 array of its own beside the arrays' folders, so ten million resampled rows
cost four bytes each. Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from benchspec.kinds.bases import Dataset
from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import write_json
from benchspec.worker.data.arrays import build, complete, fingerprint, writing
from benchspec.worker.data.batches import TokenData, mapped
from benchspec.worker.data.encode import encoder_for

#: order entries that are looked at once
SPAN = 1 << 20


def prepare(
    dataset: Dataset,
    tokenizer: Any,
    templates: Mapping[str, str],
    max_length: int,
    *,
    request: str,
    invocation: str,
    pointers: Path,
    cache: Path,
) -> TokenData:
    """The tokens of `dataset`, from `cache` where they are there, else prepared.

    `request` is a key of what is asked for; `pointers`, a folder of the run, remembers what each request led to in
    this `invocation` of it. So `dataset.rows()` is called once a run and host, whichever process comes first, and a
    next run that finds the same rows tokenizes nothing. Raises `BenchspecError` where there are no rows or the order
    names one that there is not, `RunError` where the cache cannot be written.
    """
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    pointer = pointers / f"{request}.json"
    with FileLock(cache / f"{request}.lock"):
        if not _usable(pointer, invocation, cache):
            found = {"invocation": invocation, **_resolve(dataset, tokenizer, templates, max_length, cache)}
            with writing(pointers):
                pointers.mkdir(parents=True, exist_ok=True)
                write_json(pointer, found)
        return _open(pointer, cache)


def cache_folder() -> Path:
    """Where this host keeps token arrays: `$BENCHSPEC_CACHE`, or `benchspec` in the user's cache folder."""
    own = os.environ.get("BENCHSPEC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchspec"


def _usable(pointer: Path, invocation: str, cache: Path) -> bool:
    """Whether the request was answered in this run, and what answered it is still in the cache."""
    found = json.loads(pointer.read_text()) if pointer.exists() else {}
    if found.get("invocation") != invocation:
        return False
    ordered = found["order"] is None or (cache / found["order"]).exists()
    return ordered and complete(cache / found["arrays"])


def _open(pointer: Path, cache: Path) -> TokenData:
    found = json.loads(pointer.read_text())
    order = None if found["order"] is None else cache / found["order"]
    return TokenData(cache / found["arrays"], order, found)


def _resolve(
    dataset: Dataset, tokenizer: Any, templates: Mapping[str, str], max_length: int, cache: Path
) -> dict[str, Any]:
    """What answers a request: the arrays' folder, the order's file and the totals, all of them in the cache now."""
    rows = _checked_rows(dataset.rows(), dataset.name)
    if not rows:
        raise BenchspecError(f"dataset {dataset.name!r} has no rows: there is nothing to learn from")
    encoder = encoder_for(tokenizer)
    name = fingerprint(rows, encoder, templates, max_length)
    folder = cache / name
    with FileLock(cache / f"{name}.lock"):
        if not complete(folder):
            build(folder, rows, encoder, templates, max_length)
    given = dataset.order()
    order = None if given is None else np.asarray(given)
    if order is None:
        return {"arrays": name, "order": None, **_totals(folder, np.ones(len(rows), np.int64))}
    counts = _counted(order, len(rows), dataset.name)
    return {"arrays": name, "order": _keep_order(order, cache), **_totals(folder, counts)}


def _checked_rows(rows: Any, name: str) -> Sequence[Row]:
    """The rows, if they are rows; a dataset plugin may be anybody's."""
    if not isinstance(rows, Sequence):
        raise BenchspecError(f"dataset {name!r} gave a {type(rows).__name__}, where rows() returns a sequence of Row")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Row) or not all(isinstance(field, str) for field in row):
            raise BenchspecError(f"dataset {name!r}: row {number} is no Row of three strings: {row!r:.80}")
    return rows


def _counted(order: Any, rows: int, name: str) -> NDArray[np.int64]:
    """How often each row stands in the order."""
    if len(order) == 0:
        raise BenchspecError(f"dataset {name!r} has an order without places: there is nothing to learn from")
    low, high = int(order.min()), int(order.max())
    if low < 0 or high >= rows:
        raise BenchspecError(f"the order of dataset {name!r} names row {low if low < 0 else high} of {rows}")
    counts = np.zeros(rows, np.int64)
    for span in _spans(order):
        counts += np.bincount(span, minlength=rows)
    return counts


def _keep_order(order: Any, cache: Path) -> str:
    """The file in the cache, named after its content, that holds `order`."""
    content = np.ascontiguousarray(order, np.int32)
    name = f"order-{hashlib.blake2b(content.data, digest_size=16).hexdigest()}.npy"
    with writing(cache), FileLock(cache / f"{name}.lock"):
        if not (cache / name).exists():
            part = cache / f"{name}.part"
            with part.open("wb") as file:
                np.save(file, content)
            part.replace(cache / name)
    return name


def _totals(folder: Path, counts: NDArray[np.int64]) -> dict[str, int]:
    """Rows, words and tokens, each row counted as often as `counts` says."""
    words, tokens = (int(counts @ mapped(folder / f"{name}.npy").astype(np.int64)) for name in ("words", "tokens"))
    return {"rows": int(counts.sum()), "words": words, "tokens": tokens}


def _spans(order: Any) -> Iterator[Any]:
    """The order, a million places at a time: numpy's own copies of ten million would cost more than the order."""
    return (order[start : start + SPAN] for start in range(0, len(order), SPAN))
