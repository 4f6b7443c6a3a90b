"""A training order -> a file in the cache: which row stands at each place, four bytes each.

Only workers import this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchspec.kinds.bases import Dataset
from benchspec.kinds.faults import defined_at
from benchspec.terms.errors import BenchspecError
from benchspec.terms.layout import writing_whole
from benchspec.worker.data.arrays import warn_of_damage, writing
from benchspec.worker.data.batches import mapped

#: elements of an order that are processed at a time
SPAN = 1 << 20


def checked(dataset: Dataset, given: Any, rows: int) -> NDArray[Any]:
    """The order, if it is one of `rows` rows: a dataset may be a third-party plugin."""
    name = dataset.name
    order = np.asarray(given)
    if order.ndim != 1 or order.dtype.kind not in "iu":
        found = f"{order.dtype} array of {order.ndim} dimensions"
        raise BenchspecError(
            f"dataset {name!r}: order() must return a one-dimensional array of integers, not a {found}"
            f"{defined_at(dataset.order)}"
        )
    if len(order) == 0:
        raise BenchspecError(f"dataset {name!r} has an empty order")
    low, high = int(order.min()), int(order.max())
    if low < 0 or high >= rows:
        index = low if low < 0 else high
        raise BenchspecError(f"the order of dataset {name!r} contains the index {index}, but there are {rows} rows")
    return order


def counted(order: Any, rows: int) -> NDArray[np.int64]:
    """How often each row occurs in the order."""
    counts = np.zeros(rows, np.int64)
    for span in _spans(order):
        counts += np.bincount(span, minlength=rows)
    return counts


def _spans(order: Any) -> Iterator[Any]:
    """The order in pieces of a million: numpy's temporary copies of all of it would need more memory than itself."""
    return (order[start : start + SPAN] for start in range(0, len(order), SPAN))


def keep(order: Any, cache: Path) -> str:
    """Write the order to the cache unless it is there, and return its file's name, which is a hash of its content."""
    content = np.ascontiguousarray(order, np.int32)
    name = f"order-{_hash(content)}.npy"
    if not intact(cache / name, len(content), thorough=True):
        with writing(cache), writing_whole(cache / name) as file:
            np.save(file, content)
    return name


def intact(file: Path, length: int, *, thorough: bool) -> bool:
    """Whether an order's file is there as it was written; removes one that is damaged, and says so on stderr.

    It has `length` elements; its content is compared only if `thorough`.
    """
    if not file.exists():
        return False
    try:
        order = mapped(file)
        whole = order.shape == (length,) and not (thorough and _hash(order) != file.stem.removeprefix("order-"))
    except (OSError, ValueError, EOFError):
        whole = False
    if not whole:
        warn_of_damage(file, "its content is not what was written")
        with writing(file.parent):
            file.unlink()
    return whole


def _hash(order: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(order).data).hexdigest()[:32]
