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
    indices into the distinct rows, 4 bytes a place: 10 million rows cost 40 MB.
    """

    name = "resampled"
    options_schema = {
        "properties": {
            "of": {"$ref": "#/$defs/dataset", "description": "the data set whose rows are drawn"},
            "rows": {"type": "integer", "minimum": 1, "description": "how many rows to draw"},
            "seed": {
                "type": "integer",
                "minimum": 0,
                "maximum": 2**32 - 1,
                "default": 42,
                "description": "of the draws; the same seed draws the same rows",
            },
        },
        "required": ["of", "rows"],
    }

    def rows(self) -> Sequence[Row]:
        """The other data set's distinct rows, as they are."""
        return self._distinct

    def order(self) -> Any:
        """An int32 array of `rows` indices into `rows()`."""
        import numpy as np

        places = self.options["of"].order()
        drawn_from = len(self._distinct) if places is None else len(places)
        if not drawn_from:
            raise BenchspecError(f"resampled: the data set '{self.options['of'].name}' has no rows to draw from")
        # RandomState, not default_rng: numpy promises that only its draws stay the same from version to version.
        drawn = np.random.RandomState(self.options["seed"]).randint(
            drawn_from, size=self.options["rows"], dtype=np.int32
        )
        return drawn if places is None else np.asarray(places, dtype=np.int32)[drawn]

    def size(self) -> int:
        return int(self.options["rows"])

    @cached_property
    def _distinct(self) -> Sequence[Row]:
        """Kept, since a data set may read a file each time that it is asked."""
        rows: Sequence[Row] = self.options["of"].rows()
        return rows


@hookimpl
def benchspec_register() -> list[type[Dataset]]:
    """The data sets of this module."""
    return [Resampled]
