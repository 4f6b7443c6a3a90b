"""Rows of text -> a table that fits a width."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import wrap

#: a width that every table fits
UNLIMITED = 10_000
#: characters between two columns
_GAP = 2
#: tabulate makes a column at least this much wider than its heading
_MARGIN = 2
#: a column is not made narrower than this
_LEAST = 12


def fitted(
    rows: Sequence[Sequence[str]],
    heads: Sequence[str],
    width: int,
    wrapped: Sequence[int],
    right: Collection[int] = (),
) -> str:
    """A table at most `width` characters wide, if the columns in `wrapped` can be made as narrow as that takes.

    Cells of those columns continue on further lines, the widest column's first. The columns in `right` are aligned on
    the right.
    """
    from tabulate import tabulate

    cells = [[f"{head}{' ' * _MARGIN}" for head in heads], *rows]
    widths = [max(_longest(row[column]) for row in cells) for column in range(len(heads))]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        widest = max(wrapped, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
    # tabulate's own wrapping reads texts such as False as values.
    shown = [
        [_wrapped(cell, widths[column]) if column in wrapped else cell for column, cell in enumerate(row)]
        for row in rows
    ]
    return tabulate(
        shown,
        heads,
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right" if column in right else "left" for column in range(len(heads))] if rows else None,
    )


def _wrapped(cell: str, width: int) -> str:
    return "\n".join(line for part in cell.split("\n") for line in wrap(part, width) or [""])


def _longest(cell: str) -> int:
    return max(map(len, cell.split("\n")))
