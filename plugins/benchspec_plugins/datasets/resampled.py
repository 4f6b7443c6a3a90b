"""Any data set at any size: a seeded sample with replacement, as the paper scales Alpaca from 10k to 10M rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from benchspec import BenchspecError, Dataset, Row, hookimpl


class Resampled(Dataset):
    """Rows of another data set, drawn with replacement under a seed.

    The draws are those of `pandas.DataFrame.sample(n, replace=True, random_state=seed)`. Samples of one seed are
    nested: 10,000 rows are the first 10,000 of the 20,000, so that only the size differs between two cases. A sample is
    an array of indices into the distinct rows, 4 bytes each: 10 million rows take 40 MB.
    """

    name = "resampled"
    options_schema = {
        "properties": {
            "of": {"$ref": "#/$defs/dataset", "description": "the data set to draw rows from"},
            "rows": {"type": "integer", "minimum": 1, "description": "number of rows to draw"},
            "seed": {
                "type": "integer",
                "minimum": 0,
                "maximum": 2**32 - 1,
                "default": 42,
                "description": "seed of the sample; the same seed draws the same rows",
            },
        },
        "required": ["of", "rows"],
    }

    def missing(self, online: bool) -> Sequence[str]:
        found: Sequence[str] = self.options["of"].missing(online)
        return found

    def rows(self) -> Sequence[Row]:
        """The distinct rows of the other data set, unchanged."""
        return self._distinct

    def order(self) -> Any:
        """An int32 array of `rows` indices into `rows()`."""
        import numpy as np

        order = self.options["of"].order()
        size = len(self._distinct) if order is None else len(order)
        if not size:
            raise BenchspecError(f"resampled: the data set '{self.options['of'].name}' has no rows to draw from")
        # RandomState, not default_rng: only its random numbers are guaranteed to stay the same across numpy versions.
        drawn = np.random.RandomState(self.options["seed"]).randint(size, size=self.options["rows"], dtype=np.int32)
        return drawn if order is None else np.asarray(order, dtype=np.int32)[drawn]

    def identity(self) -> str | None:
        """That of the other data set: the sample depends on nothing else that is not an option."""
        identity: str | None = self.options["of"].identity()
        return identity

    def size(self) -> int:
        return int(self.options["rows"])

    @cached_property
    def _distinct(self) -> Sequence[Row]:
        """Cached, because a data set may read a file on each call."""
        rows: Sequence[Row] = self.options["of"].rows()
        return rows


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The plugins of this module."""
    return [Resampled]
