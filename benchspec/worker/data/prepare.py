"""A request for tokens -> its token arrays, from the host's cache if they are there.

In the cache, a folder of arrays is named after a hash of everything that the tokens depend on. A training order is a
separate int32 array next to these folders, so ten million resampled rows cost four bytes each. A pointer is a small
JSON file that names the folder and the order for a request.

Files of the cache are verified before they are used: their content by the first process on a host that needs them in
an invocation of a run, their sizes by each process.

Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
from benchspec.worker.data import arrays, orders, prepared
from benchspec.worker.data.arrays import FORMAT, writing
from benchspec.worker.data.batches import TokenData, mapped
from benchspec.worker.data.encode import Encoder
from benchspec.worker.data.prepared import Prepared


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
    # Hosts may share the folder of the run and not the cache.
    pointer = pointers / f"{_hash(request.key, platform.node())}.json"
    with _locked(cache / f"{request.key}.lock"):
        answer = prepared.read(pointer, invocation)
        if answer is None or not _intact(answer, cache, thorough=False):
            answer = _answer(request, cache)
            prepared.write(pointer, answer, invocation)
    return TokenData(cache, answer)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a file lock; raise `RunError` if the file cannot be created."""
    with ExitStack() as held:
        with writing(file.parent):
            held.enter_context(FileLock(file))
        yield


def _answer(request: Request, cache: Path) -> Prepared:
    """The files and totals of a request, reused from an earlier run if the identity is the same."""
    identity = _identity(request.dataset)
    if identity is None:
        return _resolve(request, cache)
    pointer = cache / f"{_hash(request.key, identity)}.json"
    kept = prepared.read(pointer)
    if kept is not None and _intact(kept, cache, thorough=True):
        return kept
    answer = _resolve(request, cache)
    # If the rows changed while they were read, it is unknown which identity they belong to.
    if _identity(request.dataset) != identity:
        return answer
    answer = replace(answer, identity=identity)
    prepared.write(pointer, answer)
    return answer


def _intact(answer: Prepared, cache: Path, *, thorough: bool) -> bool:
    """Whether the files that a pointer names are in the cache as they were written."""
    with _locked(cache / f"{answer.arrays}.lock"):
        whole = arrays.intact(cache / answer.arrays, thorough=thorough)
    if answer.order is None:
        return whole
    with _locked(cache / "orders.lock"):
        return orders.intact(cache / answer.order, answer.rows, thorough=thorough) and whole


def _identity(dataset: Dataset) -> str | None:
    identity: Any = dataset.identity()
    if identity is not None and not isinstance(identity, str):
        raise BenchspecError(
            f"dataset {dataset.name!r}: identity() must return a string or None, not {type(identity).__name__}"
            f"{defined_at(dataset.identity)}"
        )
    return identity


def _resolve(request: Request, cache: Path) -> Prepared:
    """Read the rows and their order, and add what is missing to the cache."""
    dataset = request.dataset
    rows = _checked_rows(dataset)
    name = _arrays(request, rows, cache)
    given = dataset.order()
    if given is None:
        return _described(cache, name, None, np.ones(len(rows), np.int64))
    order = orders.checked(dataset, given, len(rows))
    with _locked(cache / "orders.lock"):
        file = orders.keep(order, cache)
    return _described(cache, name, file, orders.counted(order, len(rows)))


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
    try:
        name = arrays.fingerprint(rows, *encoding)
    except UnicodeEncodeError:
        raise BenchspecError(_not_text(request.dataset, rows)) from None
    with _locked(cache / f"{name}.lock"):
        if not arrays.intact(cache / name, thorough=True):
            arrays.build(cache / name, rows, *encoding)
    return name


def _not_text(dataset: Dataset, rows: Sequence[Row]) -> str:
    """The message for the first row that cannot be encoded, which no tokenizer takes."""
    for number, row in enumerate(rows, start=1):
        for name, text in row._asdict().items():
            if any("\ud800" <= character <= "\udfff" for character in text):
                problem = f"row {number}: '{name}' contains a lone surrogate, half a character"
                return f"dataset {dataset.name!r}: {problem}{defined_at(dataset.rows)}"
    return f"dataset {dataset.name!r}: a row is not Unicode text"


def _described(cache: Path, name: str, order: str | None, counts: NDArray[np.int64]) -> Prepared:
    """The files and their totals; `counts` is how often each row occurs."""
    folder = cache / name
    lengths, prompts = np.diff(mapped(folder / "starts.npy")), mapped(folder / "prompts.npy")
    # The first token of a row is never predicted, whether or not it belongs to a prompt.
    unanswered = lengths <= np.maximum(prompts, 1)
    words, tokens = (int(counts @ mapped(folder / f"{each}.npy").astype(np.int64)) for each in ("words", "tokens"))
    return Prepared(
        arrays=name,
        order=order,
        fingerprint=_hash(arrays.content(folder), order),
        identity=None,
        rows=int(counts.sum()),
        words=words,
        tokens=tokens,
        without_answer=int(counts[unanswered].sum()),
    )


def _hash(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
