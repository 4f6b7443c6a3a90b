"""Results as comma-separated values, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from benchspec import Plugin, Reporter, hookimpl
from benchspec.terms.harmless import brief, one_line

if TYPE_CHECKING:
    from benchspec.results import Results

#: what a spreadsheet takes for the beginning of a formula, in any width of characters
_FORMULA = tuple("=+-@＝＋－＠")


class Csv(Reporter):
    """One row per launch of a case; numbers are unrounded, in their metric's unit.

    The columns, in order: `experiment`, `case`, `attempt`, `launch`; each axis by its dotted path; `outcome`, `phase`,
    `rank`, `reason`; each metric by its id, for cases that are ok; the `currency` of `cost`; `basis:METRIC` for
    numbers that were not measured; for a published value `published:METRIC` (`900`, `<600`, `>600`, `600..720`),
    `ratio:METRIC` (measured / published), `verdict:METRIC`, `source:METRIC` and `hardware:METRIC`, in the row of a
    case's first launch; `machine`. A published outcome has `outcome` instead of METRIC; a second published value of the
    same case and metric has `:2` appended. Columns without any value are left out, except the first four and `outcome`,
    `phase`, `rank`, `reason`.

    Text is on one line. Text that a spreadsheet would calculate, because it begins with `=`, `+`, `-` or `@`, has a
    `'` before it.
    """

    name = "csv"
    suffix = ".csv"

    def render(self, results: Results) -> str:
        from benchspec.results.rows import ENDING, FIRST

        rows = [{**row, "reason": row["reason"] and brief(row["reason"])} for row in results.rows()]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(map(_cell, rows[0] if rows else (*FIRST, *ENDING)))
        writer.writerows(map(_cell, row.values()) for row in rows)
        return stream.getvalue()


def _cell(value: Any) -> Any:
    """Numbers as they are, true and false as in a spec, text on one line and never a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Csv]
