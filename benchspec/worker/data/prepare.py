"""Rows, a tokenizer and prompt templates -> flat token arrays, kept in the host's cache and mapped read-only.

What is kept for one set of rows, in a folder named after everything that the tokens depend on:

    ids.npy      int32, the token ids of every row, one after the other
    starts.npy   int64, where each row starts in `ids`, and at the end where the last one ends
    prompts.npy  int32, how many of a row's first tokens are its prompt
    words.npy    int32, whitespace-separated words of a row's instruction, input and output
    tokens.npy   int32, tokens of the same, without the template, before truncation
    manifest.json, written last: its existence says that the folder is complete

An order in which rows repeat is an int32 array of its own beside the folders, so ten million resampled rows cost
four bytes each. Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from benchspec.kinds.bases import Dataset
from benchspec.kinds.values import Row
from benchspec.terms.errors import BenchspecError, RunError
from benchspec.worker.data.encode import Encoder, encoder_for

if TYPE_CHECKING:
    import torch

#: part of every fingerprint: raise it when the arrays or the way to them change
FORMAT = 2
#: rows that are tokenized at once: enough to keep every core busy, few enough to hold their strings in memory
CHUNK = 4096
#: labels that the loss passes over
IGNORED = -100
#: order entries that are looked at once
SPAN = 1 << 20


class Tokens(TypedDict):
    """One row, ready for `collate`."""

    #: int32 token ids, a view of the mapped array
    input_ids: NDArray[np.int32]
    #: how many of the first tokens are the prompt
    prompt: int


class TokenData:
    """The rows to train on, in order and with their repeats: a map-style dataset that holds nothing but memory maps."""

    def __init__(self, folder: Path, order: Path | None, totals: Mapping[str, int]):
        self._ids = _mapped(folder / "ids.npy")
        self._starts = _mapped(folder / "starts.npy")
        self._prompts = _mapped(folder / "prompts.npy")
        self._order = None if order is None else _mapped(order)
        #: rows, repeats counted
        self.rows = totals["rows"]
        #: whitespace-separated words in them, without the template
        self.words = totals["words"]
        #: tokens in them, without the template and before truncation
        self.tokens = totals["tokens"]

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int) -> Tokens:
        row = place if self._order is None else self._order[place]
        ids = self._ids[self._starts[row] : self._starts[row + 1]]
        return {"input_ids": ids, "prompt": int(self._prompts[row])}


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
    with _writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    pointer = pointers / f"{request}.json"
    with FileLock(cache / f"{request}.lock"):
        if not _usable(pointer, invocation, cache):
            found = {"invocation": invocation, **_resolve(dataset, tokenizer, templates, max_length, cache)}
            with _writing(pointers):
                pointers.mkdir(parents=True, exist_ok=True)
                _write_json(pointer, found)
        return _open(pointer, cache)


def cache_folder() -> Path:
    """Where this host keeps token arrays: `$BENCHSPEC_CACHE`, or `benchspec` in the user's cache folder."""
    own = os.environ.get("BENCHSPEC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchspec"


def collate(rows: Sequence[Tokens], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of tensors of shape (rows, longest row), padded on the right; prompt and padding are not learnt.

    The attention mask says how long a row is, not which tokens look like padding: eos may be both.
    """
    import torch

    shape = len(rows), max(len(row["input_ids"]) for row in rows)
    ids = np.full(shape, pad_id, np.int64)
    mask = np.zeros(shape, np.int64)
    labels = np.full(shape, IGNORED, np.int64)
    for place, row in enumerate(rows):
        length, prompt = len(row["input_ids"]), row["prompt"]
        ids[place, :length] = row["input_ids"]
        mask[place, :length] = 1
        labels[place, prompt:length] = row["input_ids"][prompt:]
    arrays = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _usable(pointer: Path, invocation: str, cache: Path) -> bool:
    """Whether the request was answered in this run, and what answered it is still in the cache."""
    found = json.loads(pointer.read_text()) if pointer.exists() else {}
    if found.get("invocation") != invocation:
        return False
    ordered = found["order"] is None or (cache / found["order"]).exists()
    return ordered and _complete(cache / found["arrays"])


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
        if not _complete(folder):
            _build(folder, rows, encoder, templates, max_length)
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


def fingerprint(rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> str:
    """A hash of everything that the arrays depend on: every row's text, tokenizer, templates, length and format."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, max_length, dict(templates), encoder.identity, len(rows)]).encode())
    for row in rows:
        # The lengths tell where a field ends, whatever it holds.
        text = "".join((*(f"{len(field)}," for field in row), *row))
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


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
    with _writing(cache), FileLock(cache / f"{name}.lock"):
        if not (cache / name).exists():
            part = cache / f"{name}.part"
            with part.open("wb") as file:
                np.save(file, content)
            part.replace(cache / name)
    return name


def _totals(folder: Path, counts: NDArray[np.int64]) -> dict[str, int]:
    """Rows, words and tokens, each row counted as often as `counts` says."""
    words, tokens = (int(counts @ _mapped(folder / f"{name}.npy").astype(np.int64)) for name in ("words", "tokens"))
    return {"rows": int(counts.sum()), "words": words, "tokens": tokens}


def _spans(order: Any) -> Iterator[Any]:
    """The order, a million places at a time: numpy's own copies of ten million would cost more than the order."""
    return (order[start : start + SPAN] for start in range(0, len(order), SPAN))


def _build(folder: Path, rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> None:
    """Write the arrays of `rows` into `folder`, in place of what a killed process may have left there."""
    shutil.rmtree(folder, ignore_errors=True)
    frames = {name: _frame(encoder, template) for name, template in templates.items()}
    with _writing(folder.parent):
        folder.mkdir()
        with encoder.truncating(max_length), (folder / "ids.npy").open("wb") as file:
            parts = list(_encode(rows, encoder, templates, frames, _Flat(file)))
        lengths, prompts, words, tokens = (np.concatenate(column) for column in zip(*parts, strict=True))
        np.save(folder / "starts.npy", np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))
        for name, column in (("prompts", prompts), ("words", words), ("tokens", tokens)):
            np.save(folder / f"{name}.npy", column.astype(np.int32))
        _write_json(folder / "manifest.json", {"format": FORMAT, "rows": len(rows), "max_length": max_length})


def _encode(
    rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], frames: Mapping[str, int], flat: _Flat
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Append the ids of every row; per chunk of rows: lengths, prompt lengths, words, and tokens without template."""
    for chunk in _chunks(rows):
        kinds = ["with_input" if row.input else "without_input" for row in chunk]
        prompts = [
            templates[kind].format(instruction=row.instruction, input=row.input)
            for kind, row in zip(kinds, chunk, strict=True)
        ]
        # The joint text gives the ids, the prompt alone its length: an answer's quote may merge with its colon.
        encoded = encoder.encode(
            [f"{prompt}{row.output}{encoder.eos}" for prompt, row in zip(prompts, chunk, strict=True)]
        )
        whole = np.fromiter((full for _, full in encoded), np.int64, len(chunk))
        frame = np.fromiter((frames[kind] for kind in kinds), np.int64, len(chunk))
        lengths = flat.append([ids for ids, _ in encoded])
        yield lengths, encoder.lengths(prompts), _words(chunk), np.maximum(whole - frame, 0)
    flat.close()


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _words(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.fromiter((sum(len(text.split()) for text in row) for row in rows), np.int64, len(rows))


def _frame(encoder: Encoder, template: str) -> int:
    """Tokens that a template adds to every row: its own text, begin and end of sequence.

    It is what remains when every field holds one letter, less these letters. A row's text may merge with the
    template's at its edges, so a row's count can be off by one or two; only tokenizing the fields apart would say.
    """
    end, letter = encoder.lengths([encoder.eos, f"a{encoder.eos}"])
    fields = sum(name is not None for _, name, _, _ in Formatter().parse(template)) + 1
    filled = template.format(instruction="a", input="a") + f"a{encoder.eos}"
    return int(encoder.lengths([filled])[0] - fields * (letter - end))


class _Flat:
    """An int32 `.npy` file that grows; its header says how long it is once it is closed."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._count = 0
        self._header()

    def append(self, rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        """The lengths of what was appended."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        total = int(lengths.sum())
        self._file.write(np.fromiter(chain.from_iterable(rows), np.int32, total).data)
        self._count += total
        return lengths

    def close(self) -> None:
        self._file.seek(0)
        self._header()

    def _header(self) -> None:
        # numpy leaves room in a header for any number of elements, so the last one covers the first exactly.
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "<i4", "fortran_order": False, "shape": (self._count,)}
        )


def _complete(folder: Path) -> bool:
    return (folder / "manifest.json").exists()


def _mapped(file: Path) -> NDArray[Any]:
    """The array in `file`, mapped read-only; a plain view, whose slices cost a fifth of a `memmap`'s."""
    return np.load(file, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]


def _write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write in one piece: who finds the file finds all of it."""
    # The folder may be one that several hosts share, each with a process of this number.
    part = file.with_name(f"{file.name}.{socket.gethostname()}.{os.getpid()}.part")
    part.write_text(json.dumps(value))
    part.replace(file)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one line."""
    try:
        yield
    except OSError as error:
        raise RunError(f"the token arrays cannot be written to {folder}: {error.strerror}") from error
