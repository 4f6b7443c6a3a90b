"""Results as runs of MLflow: an experiment a benchmark, a run a launch, with the metrics of each step."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchspec.reports.exports.records import Record, text
from benchspec.results.results import Results

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: the tag by which a run that was exported before is found again
ID = "benchspec.id"
#: what MLflow takes at once
METRICS_AT_ONCE, PARAMS_AT_ONCE = 1000, 100
#: what it takes of a parameter's value
LONGEST = 6000


def export(results: Results, records: Sequence[Record], folder: Path) -> list[str]:
    """Write runs to MLFLOW_TRACKING_URI, else to a database in the folder; earlier exports of them are replaced."""
    # MLflow would tell its makers what it is used for.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.absolute() / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = _experiment(client, results.name, folder)
    for record in records:
        _replace(client, experiment, record)
    shows = f"; `mlflow ui --backend-store-uri {uri}`, which needs `pip install mlflow`, shows them"
    look = "" if os.environ.get("MLFLOW_TRACKING_URI") else shows
    return [f"{len(records)} runs of the experiment '{results.name}' in {_shown(uri)}{look}"]


def _shown(uri: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _experiment(client: MlflowClient, name: str, folder: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # Nothing is put there, but MLflow wants a place, which would otherwise be in the working directory.
    place = None if os.environ.get("MLFLOW_TRACKING_URI") else (folder / "artifacts").absolute().as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _replace(client: MlflowClient, experiment: str, record: Record) -> None:
    from mlflow.entities import Param, RunTag

    for earlier in client.search_runs([experiment], filter_string=f"tags.`{ID}` = '{_quoted(record.id)}'"):
        client.delete_run(earlier.info.run_id)
    name = f"{record.experiment}/{record.name}"
    run = client.create_run(experiment, start_time=_ms(record.started), run_name=name, tags={ID: _quoted(record.id)})
    tags = [RunTag(key, value[:LONGEST]) for key, value in record.facts.items()]
    client.log_batch(run.info.run_id, tags=tags)
    for params in _batches(((key, text(value)[:LONGEST]) for key, value in record.settings.items()), PARAMS_AT_ONCE):
        client.log_batch(run.info.run_id, params=[Param(*each) for each in params])
    for metrics in _batches(_metrics(record), METRICS_AT_ONCE):
        client.log_batch(run.info.run_id, metrics=metrics)
    client.set_terminated(run.info.run_id, "FINISHED" if record.ok else "FAILED", end_time=_ms(record.finished))


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    found = iter(items)
    while batch := list(islice(found, size)):
        yield batch


def _quoted(id: str) -> str:
    """An id that can stand between quotes in a search."""
    return id.replace("'", "%27").replace("`", "%60")


def _metrics(record: Record) -> Iterator[Any]:
    from mlflow.entities import Metric

    for id, value in record.metrics.items():
        yield Metric(id, value, _ms(record.finished), 0)
    passed = 0.0
    for step in record.steps:
        passed += step["seconds"] or 0.0
        for key in ("loss", "grad_norm", "seconds"):
            if step[key] is not None:
                yield Metric(f"step.{key}", step[key], _ms(record.started + passed), step["step"])


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
