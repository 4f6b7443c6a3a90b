"""A request for tokens -> its token arrays, from the host's cache if they are there.

In the cache, a folder of arrays is named after a hash of everything that the tokens depend on. A training order is a
separate int32 array next to these folders, so ten million resampled rows cost four bytes each. A pointer is a small
JSON file that names the folder and the order for a request.

Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from benchspec.kinds.bases import Dataset
from benchspec.kinds.faults import defined_at
from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import write_json
from benchspec.worker.data.arrays import FORMAT, build, complete, fingerprint, writing
from benchspec.worker.data.batches import TokenData, mapped
from benchspec.worker.data.encode import Encoder

#: elements of an order that are processed at a time
SPAN = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for the tokens of a dataset, with a tokenizer, prompt templates and a maximum length."""

    dataset: Dataset
    #: the case's dataset: its name and options
    settings: Mapping[str, Any]
    encoder: Encoder
    templates: Mapping[str, str]
    #: tokens that a row is truncated to
    max_length: int

    @cached_property
    def key(self) -> str:
        """A hash of everything but the rows themselves."""
        cls = type(self.dataset)
        source = [cls.__module__, cls.__qualname__, self.settings]
        return _hash(FORMAT, source, dict(self.templates), self.max_length, self.encoder.identity)


def prepare(request: Request, *, invocation: str, pointers: Path, cache: Path) -> TokenData:
    """The tokens for a request.

    The first process on a host prepares them; the others wait for it. `pointers`, a folder of the run, stores the
    answer to each request in this `invocation` of the run, so that `dataset.rows()` is called at most once per
    invocation and host. If `dataset.identity()` is the same as in an earlier run, it is not called at all. Otherwise
    the rows are read, and tokenized unless the cache already has the tokens of the same rows.

    Raises `BenchspecError` if the dataset's rows, order or identity are invalid, and `RunError` if the cache cannot be
    written.
    """
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    pointer = pointers / f"{request.key}.json"
    with _locked(cache / f"{request.key}.lock"):
        answer = _kept(pointer, cache)
        if answer is None or answer.get("invocation") != invocation:
            answer = _answer(request, cache)
            _keep(pointer, {"invocation": invocation, **answer})
    order = None if answer["order"] is None else cache / answer["order"]
    return TokenData(cache / answer["arrays"], order, answer)


def cache_folder() -> Path:
    """Where this host keeps token arrays: `$BENCHSPEC_CACHE`, or `benchspec` in the user's cache folder."""
    own = os.environ.get("BENCHSPEC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchspec"


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a file lock; raise `RunError` if the file cannot be created."""
    with ExitStack() as held:
        with writing(file.parent):
            held.enter_context(FileLock(file))
        yield


def _kept(pointer: Path, cache: Path) -> dict[str, Any] | None:
    """The content of a pointer; None if it does not exist, or if what it names is no longer in the cache."""
    if not pointer.exists():
        return None
    answer: dict[str, Any] = json.loads(pointer.read_text(encoding="utf-8"))
    ordered = answer["order"] is None or (cache / answer["order"]).exists()
    return answer if ordered and complete(cache / answer["arrays"]) else None


def _keep(pointer: Path, answer: Mapping[str, Any]) -> None:
    with writing(pointer.parent):
        pointer.parent.mkdir(parents=True, exist_ok=True)
        write_json(pointer, answer)


def _answer(request: Request, cache: Path) -> dict[str, Any]:
    """The arrays' folder, the order's file and the totals, reused from an earlier run if the identity is the same."""
    identity = _identity(request.dataset)
    if identity is None:
        return _resolve(request, cache)
    pointer = cache / f"{_hash(request.key, identity)}.json"
    if (answer := _kept(pointer, cache)) is not None:
        return answer
    answer = _resolve(request, cache)
    # If the rows changed while they were read, it is unknown which identity they belong to.
    if _identity(request.dataset) == identity:
        _keep(pointer, answer)
    return answer


def _identity(dataset: Dataset) -> str | None:
    identity: Any = dataset.identity()
    if identity is not None and not isinstance(identity, str):
        raise BenchspecError(
            f"dataset {dataset.name!r}: identity() must return a string or None, not {type(identity).__name__}"
            f"{defined_at(dataset.identity)}"
        )
    return identity


def _resolve(request: Request, cache: Path) -> dict[str, Any]:
    """Read the rows and their order, and add what is missing to the cache."""
    dataset = request.dataset
    rows = _checked_rows(dataset)
    arrays = _arrays(request, rows, cache)
    given = dataset.order()
    if given is None:
        return {"arrays": arrays, "order": None, **_totals(cache / arrays, np.ones(len(rows), np.int64))}
    order = _checked_order(dataset, given)
    counts = _counted(order, len(rows), dataset.name)
    return {"arrays": arrays, "order": _keep_order(order, cache), **_totals(cache / arrays, counts)}


def _checked_order(dataset: Dataset, given: Any) -> NDArray[Any]:
    """The order, if it is one: a dataset may be a third-party plugin."""
    order = np.asarray(given)
    if order.ndim != 1 or order.dtype.kind not in "iu":
        found = f"{order.dtype} array of {order.ndim} dimensions"
        raise BenchspecError(
            f"dataset {dataset.name!r}: order() must return a one-dimensional array of integers, not a {found}"
            f"{defined_at(dataset.order)}"
        )
    return order


def _checked_rows(dataset: Dataset) -> Sequence[Row]:
    """The rows, after checking their types, because a dataset may be a third-party plugin."""
    rows: Any = dataset.rows()
    name, place = dataset.name, defined_at(dataset.rows)
    if not isinstance(rows, Sequence):
        found = type(rows).__name__
        raise BenchspecError(f"dataset {name!r}: rows() must return a sequence of Row, not {found}{place}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Row) or not all(isinstance(field, str) for field in row):
            raise BenchspecError(f"dataset {name!r}: row {number} is not a Row of three strings: {row!r:.80}{place}")
    if not rows:
        raise BenchspecError(f"dataset {name!r} has no rows")
    return rows


def _arrays(request: Request, rows: Sequence[Row], cache: Path) -> str:
    """The name of the cache folder with the arrays of these rows, which are created if they are missing."""
    encoding = request.encoder, request.templates, request.max_length
    name = fingerprint(rows, *encoding)
    with _locked(cache / f"{name}.lock"):
        if not complete(cache / name):
            build(cache / name, rows, *encoding)
    return name


def _counted(order: Any, rows: int, name: str) -> NDArray[np.int64]:
    """How often each row occurs in the order."""
    if len(order) == 0:
        raise BenchspecError(f"dataset {name!r} has an empty order")
    low, high = int(order.min()), int(order.max())
    if low < 0 or high >= rows:
        index = low if low < 0 else high
        raise BenchspecError(f"the order of dataset {name!r} contains the index {index}, but there are {rows} rows")
    counts = np.zeros(rows, np.int64)
    for span in _spans(order):
        counts += np.bincount(span, minlength=rows)
    return counts


def _spans(order: Any) -> Iterator[Any]:
    """The order in pieces of a million: numpy's temporary copies of all of it would need more memory than itself."""
    return (order[start : start + SPAN] for start in range(0, len(order), SPAN))


def _keep_order(order: Any, cache: Path) -> str:
    """Write the order to the cache unless it is there, and return its file name."""
    content = np.ascontiguousarray(order, np.int32)
    name = f"order-{hashlib.blake2b(content.data, digest_size=16).hexdigest()}.npy"
    with writing(cache), _locked(cache / f"{name}.lock"):
        if not (cache / name).exists():
            part = cache / f"{name}.part"
            with part.open("wb") as file:
                np.save(file, content)
            part.replace(cache / name)
    return name


def _totals(folder: Path, counts: NDArray[np.int64]) -> dict[str, int]:
    """The totals of rows, words and tokens; `counts` is how often each row occurs."""
    words, tokens = (int(counts @ mapped(folder / f"{name}.npy").astype(np.int64)) for name in ("words", "tokens"))
    return {"rows": int(counts.sum()), "words": words, "tokens": tokens}


def _hash(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
