"""Results as event files of TensorBoard: a folder a launch, with the scalars of each step and the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchspec.reports.exports.records import Record, text
from benchspec.results.results import Results
from benchspec.terms.layout import writing_whole

#: TensorBoard reads what has `tfevents` in its name; its own would name the host
FILE = "events.out.tfevents.benchspec"


def export(results: Results, records: Sequence[Record], folder: Path) -> list[str]:
    """Write an event file a launch; one that was exported before is replaced."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    home = folder / "tensorboard"
    for record in records:
        place = home.joinpath(*(_part(part) for part in (record.experiment, *record.name.split("/"))))
        place.mkdir(parents=True, exist_ok=True)
        with writing_whole(place / FILE) as stream:
            writer = RecordWriter(stream)
            for event in _events(record):
                writer.write(event.SerializeToString())
    return [f"{len(records)} runs in {home}; `tensorboard --logdir {home}` shows them"]


def _part(name: str) -> str:
    """A name as one part of a path."""
    return re.sub(r"[^\w.=+-]+", "-", name).strip(".") or "-"


def _events(record: Record) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    def scalars(wall_time: float, step: int, values: dict[str, float]) -> Any:
        found = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        return Event(wall_time=wall_time, step=step, summary=Summary(value=found))

    yield Event(wall_time=record.started, file_version="brain.Event:2")
    settings = {path: _plain(value) for path, value in {**record.settings, "outcome": record.facts["outcome"]}.items()}
    hparams = hparams_pb(settings, trial_id=record.id, start_time_secs=record.started).SerializeToString()
    yield Event(wall_time=record.started, summary=Summary.FromString(hparams))
    passed = 0.0
    for step in record.steps:
        passed += step["seconds"] or 0.0
        found = {f"step/{key}": step[key] for key in ("loss", "grad_norm", "seconds") if step[key] is not None}
        yield scalars(record.started + passed, step["step"], found)
    if record.metrics:
        yield scalars(record.finished, 0, {f"metric/{id}": value for id, value in record.metrics.items()})


def _plain(value: Any) -> Any:
    """A setting as TensorBoard takes it: a number, true or false, or text."""
    return value if isinstance(value, bool | int | float | str) else text(value)
