"""Rows, a tokenizer and prompt templates -> flat token arrays in a folder.

A folder holds, for one set of rows:

    ids.npy      int32, the token ids of all rows, concatenated
    starts.npy   int64, the start of each row in `ids`, followed by the end of the last row
    prompts.npy  int32, the number of prompt tokens of each row, before truncation
    words.npy    int32, whitespace-separated words in each row's instruction, input and output
    tokens.npy   int32, tokens in the same, without the template, before truncation
    manifest.json, written last: if it exists, the folder is complete; it has each file's size and SHA-256

Only workers import this module.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from string import Formatter
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchspec.kinds.values import Row
from benchspec.terms.errors import RunError
from benchspec.terms.layout import write_json, writing_whole
from benchspec.worker.data.encode import Encoder

#: part of every fingerprint: increase it when the arrays or how they are computed change
FORMAT = 4
ARRAYS = ("ids.npy", "starts.npy", "prompts.npy", "words.npy", "tokens.npy")
MANIFEST = "manifest.json"
#: rows tokenized per batch: enough to keep every core busy, few enough to need little memory
CHUNK = 4096


def fingerprint(rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> str:
    """A hash of everything that the arrays depend on: every row's text, the tokenizer, templates, length and format.

    Raises `UnicodeEncodeError` for a row with half a character.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, max_length, dict(templates), encoder.identity, len(rows)]).encode())
    for chunk in _chunks(rows):
        fields = list(chain.from_iterable(chunk))
        # The lengths mark where each field ends, whatever characters it contains.
        digest.update(np.fromiter(map(len, fields), "<i8", len(fields)).data)
        digest.update("".join(fields).encode())
    return digest.hexdigest()


def build(folder: Path, rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], max_length: int) -> None:
    """Write the arrays of `rows` into `folder`, replacing what a killed process may have left there."""
    shutil.rmtree(folder, ignore_errors=True)
    with writing(folder.parent):
        folder.mkdir()
        # Within this context, a tokenizer's own padding and truncation are off.
        with encoder.truncating(max_length), writing_whole(folder / "ids.npy") as file:
            added = {name: _template_tokens(encoder, template) for name, template in templates.items()}
            parts = list(_encode(rows, encoder, templates, added, _Flat(file)))
        lengths, prompts, words, tokens = (np.concatenate(column) for column in zip(*parts, strict=True))
        starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        columns = [column.astype(np.int32) for column in (prompts, words, tokens)]
        for name, array in zip(ARRAYS[1:], (starts, *columns), strict=True):
            with writing_whole(folder / name) as file:
                np.save(file, array)
        # Each array is on the disk before the manifest says so.
        files = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in ARRAYS}
        write_json(folder / MANIFEST, {"format": FORMAT, "rows": len(rows), "max_length": max_length, "files": files})


def _encode(
    rows: Sequence[Row], encoder: Encoder, templates: Mapping[str, str], added: Mapping[str, int], flat: _Flat
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Append the ids of every row to `flat`, and yield a tuple of arrays for each chunk of rows.

    The arrays hold each row's length, its prompt's length, its words, and its tokens without the template. `added`
    maps each template to the number of tokens that it adds.
    """
    heads = {kind: _head(template) for kind, template in templates.items()}
    for chunk in _chunks(rows):
        kinds = ["with_input" if row.input else "without_input" for row in chunk]
        prompts = [
            templates[kind].format(instruction=row.instruction, input=row.input)
            for kind, row in zip(kinds, chunk, strict=True)
        ]
        # Prompt and answer are tokenized together, where characters at the border may merge into one token, but the
        # prompt's length is that of the prompt tokenized alone. The paper's script does the same.
        texts = [f"{prompt}{row.output}{encoder.eos}" for prompt, row in zip(prompts, chunk, strict=True)]
        encoded = encoder.encode(texts, prompts, [heads[kind] for kind in kinds])
        template = np.fromiter((added[kind] for kind in kinds), np.int64, len(chunk))
        flat.append(encoded.ids)
        yield encoded.lengths, encoded.prompts, _words(chunk), np.maximum(encoded.whole - template, 0)
    flat.close()


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _words(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.fromiter(map(len, map(str.split, map(" ".join, rows))), np.int64, len(rows))


def _head(template: str) -> str:
    """The words before a template's first field."""
    return next((words for words, *_ in Formatter().parse(template)), "")


def _template_tokens(encoder: Encoder, template: str) -> int:
    """The tokens that a template adds to every row: its own text, begin and end of sequence.

    They are counted with one letter in each field, minus the letters. If a row's text merges with the template's into
    one token, the row's count is off by one or two; an exact count would need each field tokenized separately.
    """
    end, letter = encoder.lengths([encoder.eos, f"a{encoder.eos}"])
    fields = sum(name is not None for _, name, _, _ in Formatter().parse(template)) + 1
    filled = template.format(instruction="a", input="a") + f"a{encoder.eos}"
    return int(encoder.lengths([filled])[0] - fields * (letter - end))


class _Flat:
    """An int32 `.npy` file that is written in pieces; its header is correct once it is closed."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._count = 0
        self._header()

    def append(self, ids: NDArray[np.int32]) -> None:
        self._file.write(ids.data)
        self._count += len(ids)

    def close(self) -> None:
        self._file.seek(0)
        self._header()

    def _header(self) -> None:
        # The header has the same length for any number of elements, so rewriting it leaves the data in place.
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "<i4", "fortran_order": False, "shape": (self._count,)}
        )


def sha256(file: Path) -> str:
    """The SHA-256 of a file; about 1.5 GB/s on a processor that has instructions for it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content(folder: Path) -> str:
    """A hash of the content of a folder's arrays, as their manifest gives it."""
    files = _manifest(folder)["files"]
    return hashlib.sha256("".join(files[name]["sha256"] for name in ARRAYS).encode()).hexdigest()[:32]


def intact(folder: Path, *, thorough: bool) -> bool:
    """Whether a folder has all arrays as they were written; if they are damaged, says so on stderr.

    Sizes are always compared, and contents if `thorough`. Damaged arrays lose their manifest: they are written anew,
    as are those of a process that was killed before it had written all of them.
    """
    if not (folder / MANIFEST).exists():
        return False
    damage = _damage(folder, thorough)
    if damage is not None:
        warn_of_damage(folder, damage)
        with writing(folder):
            (folder / MANIFEST).unlink()
    return damage is None


def warn_of_damage(path: Path, damage: str) -> None:
    """Say on stderr that something in the cache is damaged."""
    print(f"warning: {path} is damaged and made anew: {damage}", file=sys.stderr)  # noqa: T201


def _damage(folder: Path, thorough: bool) -> str | None:
    """What is wrong with the arrays of a folder that has a manifest."""
    try:
        files = {name: (file["bytes"], file["sha256"]) for name, file in _manifest(folder)["files"].items()}
        for name in ARRAYS:
            size, checksum = files[name]
            if (found := (folder / name).stat().st_size) != size:
                return f"{name} has {found} bytes instead of {size}"
            if thorough and sha256(folder / name) != checksum:
                return f"the content of {name} is not what was written"
    except OSError as error:
        return f"{Path(error.filename or MANIFEST).name} cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{MANIFEST} cannot be read"
    return None


def _manifest(folder: Path) -> Any:
    return json.loads((folder / MANIFEST).read_bytes())


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A context that turns an `OSError`, such as a full or read-only disk, into a `RunError`."""
    try:
        yield
    except OSError as error:
        raise RunError(f"the token arrays cannot be written to {folder}: {error.strerror}") from error
