"""Which size a search for the largest batch tries next."""

from __future__ import annotations

import pytest

from benchspec.results.search import next_size

SIZES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 48]


def tried(limit, sizes=SIZES):
    """The sizes that a search tries where no more than `limit` rows fit, in their order."""
    fits = {}
    while (size := next_size(sizes, fits)) is not None:
        fits[size] = size <= limit
    return list(fits)


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (100, [1, 2, 4, 8, 16, 48]),
        (47, [1, 2, 4, 8, 16, 48, 24]),
        (20, [1, 2, 4, 8, 16, 48, 24]),
        (5, [1, 2, 4, 8, 6]),
        (3, [1, 2, 4, 3]),
        (0, [1]),
    ],
)
def test_sizes_double_while_they_fit_and_then_lie_between(limit, sizes):
    assert tried(limit) == sizes


@pytest.mark.parametrize("limit", range(50))
def test_the_largest_that_fits_and_the_next_one_are_tried(limit):
    found = tried(limit)
    fitting = [size for size in SIZES if size <= limit]
    if fitting:
        assert fitting[-1] in found
    if len(fitting) < len(SIZES):
        assert SIZES[len(fitting)] in found
