"""Rows, a tokenizer and prompt templates -> flat token arrays in a folder.

A folder is named after everything that the tokens depend on (`fingerprint`) and holds, for one set of rows:

    ids.npy      int32, the token ids of every row, one after the other
    starts.npy   int64, where each row starts in `ids`, and at the end where the last one ends
    prompts.npy  int32, how many of a row's first tokens are its prompt
    words.npy    int32, whitespace-separated words of a row's instruction, input and output
    tokens.npy   int32, tokens of the same, without the template, before truncation
    manifest.json, written last: its existence says that the folder is complete

Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from string import Formatter
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchspec.kinds.values import Row
from benchspec.terms.errors import RunError
from benchspec.terms.layout import write_json
from benchspec.worker.data.encode import Encoder

#: part of every fingerprint: raise it when the arrays or the way to them change
FORMAT = 2
#: rows that are tokenized at once: enough to keep every core busy, few enough to hold their strings in memory
CHUNK = 4096


def fingerprint(rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> str:
    """A hash of everything that the arrays depend on: every row's text, tokenizer, templates, length and format."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, max_length, dict(templates), encoder.identity, len(rows)]).encode())
    for row in rows:
        # The lengths tell where a field ends, whatever it holds.
        text = "".join((*(f"{len(field)}," for field in row), *row))
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def build(folder: Path, rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> None:
    """Write the arrays of `rows` into `folder`, in place of what a killed process may have left there."""
    shutil.rmtree(folder, ignore_errors=True)
    frames = {name: _frame(encoder, template) for name, template in templates.items()}
    with writing(folder.parent):
        folder.mkdir()
        with encoder.truncating(max_length), (folder / "ids.npy").open("wb") as file:
            parts = list(_encode(rows, encoder, templates, frames, _Flat(file)))
        lengths, prompts, words, tokens = (np.concatenate(column) for column in zip(*parts, strict=True))
        np.save(folder / "starts.npy", np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))
        for name, column in (("prompts", prompts), ("words", words), ("tokens", tokens)):
            np.save(folder / f"{name}.npy", column.astype(np.int32))
        write_json(folder / "manifest.json", {"format": FORMAT, "rows": len(rows), "max_length": max_length})


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


def complete(folder: Path) -> bool:
    return (folder / "manifest.json").exists()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one line."""
    try:
        yield
    except OSError as error:
        raise RunError(f"the token arrays cannot be written to {folder}: {error.strerror}") from error
