"""Results as Parquet files: a row a launch, and a row a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.reports.exports.records import Record, text
from benchspec.results.results import Results
from benchspec.terms.layout import writing_whole
from benchspec.terms.metrics import METRICS


def export(results: Results, records: Sequence[Record], folder: Path) -> list[str]:
    """Write results.parquet, with the columns of `Results.rows`, and steps.parquet; returns what to tell the user."""
    rows = results.rows()
    steps = [
        {"experiment": record.experiment, "case": record.case, "launch": record.launch, **step}
        for record in records
        for step in record.steps
    ]
    for name, found in (("results", rows), ("steps", steps)):
        _write(folder / f"{name}.parquet", found)
    lost = [record.name for record in records if record.ok and record.metrics.get("steps") and not record.steps]
    gone = [f"warning: the steps of {', '.join(lost)} are gone with their files in the run directory"] if lost else []
    return [f"{folder / 'results.parquet'} ({len(rows)} rows), {folder / 'steps.parquet'} ({len(steps)} rows)", *gone]


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    names = list(rows[0]) if rows else []
    columns = [_column([row[name] for row in rows], counts=name not in METRICS) for name in names]
    typed = zip(names, columns, strict=True)
    fields = [pyarrow.field(name, column.type, metadata=_unit(name)) for name, column in typed]
    table = pyarrow.table(columns, schema=pyarrow.schema(fields))
    with writing_whole(file) as stream:
        parquet.write_table(table, stream)


def _column(values: Sequence[Any], *, counts: bool) -> Any:
    """Values as a typed column; as text, where they are of several types, as an axis's may be.

    Whole numbers stay so if they are `counts`. A metric has the same type in every file.
    """
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and counts:
        return pyarrow.array(values, pyarrow.int64())
    kinds = {float if kind is int else kind for kind in kinds}
    if len(kinds) < 2:
        return pyarrow.array([float(value) for value in values] if kinds == {float} and None not in values else values)
    return pyarrow.array([None if value is None else text(value) for value in values])


def _unit(name: str) -> dict[str, str] | None:
    return {"unit": METRICS[name].unit} if name in METRICS else None
