"""Stanford Alpaca's rows, from the Hugging Face hub or from a file in its format."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from benchspec import BenchspecError, Dataset, Row, hookimpl
from benchspec.machine.hub import cache, lacking
from benchspec.terms.errors import install
from benchspec_plugins.datasets.json_rows import checked, identity_of, read_rows

HUB_NAME = "tatsu-lab/alpaca"
#: the full set as Fauber and Patel 2023 counted it; words are whitespace-separated
PUBLISHED_ROWS = 52_002
PUBLISHED_WORDS = 3_025_587

_WITHOUT_HUB = (
    "set `path:` to a local copy, use `dataset: synthetic`, or fill the cache first: set HF_HOME, load "
    f"'{HUB_NAME}' once with the library `datasets` on a machine that reaches the hub, and run with the same HF_HOME"
)


class Alpaca(Dataset):
    """Rows with an instruction, an input (often empty) and an output: Alpaca's own, or any file in its format.

    A file is JSON (an array of objects) or JSON Lines (one object per line). `input` may be absent or null; other keys
    are ignored. A warning is given if the rows differ from those that the paper counted, as in cleaned variants of
    Alpaca.
    """

    name = "alpaca"
    instead = "{name: alpaca, path: NAME}"
    options_schema = {
        "properties": {
            "path": {
                "type": ["string", "null"],
                "format": "path",
                "default": None,
                "description": f"a JSON or JSON Lines file; null: '{HUB_NAME}' from the Hugging Face hub",
            }
        }
    }

    def missing(self, online: bool) -> Sequence[str]:
        path = self.options["path"]
        if path is None:
            found = None if _is_prepared() else lacking(HUB_NAME, {"rows": ["*"]}, online, "dataset")
            return [f"{found}; or set `path:` to a local copy, or use `dataset: synthetic`"] if found else []
        return [f"'{path}' is a folder, not a file of rows"] if Path(path).is_dir() else []

    def rows(self) -> Sequence[Row]:
        """The rows in file order, read once."""
        return self._rows

    def identity(self) -> str | None:
        """What a local file holds; None for the hub's rows. A large file is known by its size and its last change."""
        path = self.options["path"]
        return None if path is None else identity_of(Path(path))

    @cached_property
    def _rows(self) -> list[Row]:
        path = self.options["path"]
        rows = _from_hub() if path is None else read_rows(Path(path))
        if difference := _difference(rows, whole=path is None):
            warnings.warn(f"alpaca: {path or HUB_NAME} has {difference}", stacklevel=2)
        return rows


def _is_prepared() -> bool:
    """Whether the library `datasets` has the rows in its own cache, from which it needs no network."""
    folder = os.environ.get("HF_DATASETS_CACHE") or cache(os.environ).parent / "datasets"
    return (Path(folder).expanduser() / HUB_NAME.replace("/", "___")).is_dir()


def _difference(rows: list[Row], whole: bool) -> str | None:
    """How the rows differ from the published ones, or None.

    With `whole`, they are meant to be the full set; otherwise rows of another number are not compared.
    """
    if len(rows) != PUBLISHED_ROWS:
        return f"{len(rows):,} rows; the paper counted {PUBLISHED_ROWS:,}" if whole else None
    words = sum(len(text.split()) for row in rows for text in row)
    if words != PUBLISHED_WORDS:
        return f"{words:,} words in {len(rows):,} rows; the paper counted {PUBLISHED_WORDS:,}"
    return None


def _from_hub() -> list[Row]:
    """The rows from the hub, or from the local cache of `datasets`."""
    try:
        from datasets import load_dataset

        found = load_dataset(HUB_NAME, split="train").to_list()
    except ImportError as error:
        raise BenchspecError(
            f"alpaca: rows from the hub need the library `datasets` ({error}): {install('train')}; or "
            "set `path:` to a local copy, or use `dataset: synthetic`"
        ) from error
    # Errors of the network, disk, cache and Arrow have no common base class.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BenchspecError(f"alpaca: '{HUB_NAME}' cannot be loaded ({reason}); {_WITHOUT_HUB}") from error
    return checked(HUB_NAME, ((f"row {number}", value) for number, value in enumerate(found, 1)))


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The plugins of this module."""
    return [Alpaca]
