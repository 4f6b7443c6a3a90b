"""Exports, read back with each tool's own reader."""

from __future__ import annotations

import pytest
from compared_runs import CASE, LOSSES, add, run_dir

from benchspec.reports.exports.export import TARGETS, export
from benchspec.results import Results
from benchspec.terms.errors import BenchspecError, RunError


@pytest.fixture
def results(tmp_path):
    """A case with two launches, and one that failed."""
    run_dir(tmp_path / "run", [100.0, 99.0])
    add(tmp_path / "run", 1, None, name="broken", axes={"model": "bloom-tiny"})
    return Results.load(tmp_path / "run")


def test_parquet_has_a_row_a_launch_and_a_row_a_step(results):
    parquet = pytest.importorskip("pyarrow.parquet")
    export(results, "parquet")
    table = parquet.read_table(results.folder / "export" / "results.parquet")
    assert [row["launch"] for row in table.to_pylist()] == [1, 2, 1]
    assert table.to_pylist()[0]["rows_per_second"] == 100.0 and table.to_pylist()[2]["rows_per_second"] is None
    assert table.field("rows_per_second").metadata == {b"unit": b"rows/s"}
    steps = parquet.read_table(results.folder / "export" / "steps.parquet").to_pylist()
    assert [(step["launch"], step["step"], step["loss"]) for step in steps[:3]] == [
        (1, number, loss) for number, loss in enumerate(LOSSES, start=1)
    ]


def test_whole_numbers_stay_whole_in_parquet_unless_they_are_measured(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    run_dir(tmp_path, [1.0], axes={"dataset.rows": 64})
    export(Results.load(tmp_path), "parquet", tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "results.parquet")
    assert str(table.field("dataset.rows").type) == "int64"
    assert str(table.field("rows_per_second").type) == "double"


def test_an_axis_of_several_types_is_text_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    run_dir(tmp_path, [1.0], axes={"x": 1}, name="a")
    add(tmp_path, 1, 1.0, axes={"x": "auto"}, name="b")
    export(Results.load(tmp_path), "parquet", tmp_path / "out")
    assert parquet.read_table(tmp_path / "out" / "results.parquet").column("x").to_pylist() == ["1", "auto"]


@pytest.mark.slow
def test_mlflow_has_a_run_a_launch_however_often_it_is_exported(results, monkeypatch):
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for _ in range(2):
        (said,) = export(results, "mlflow")
    uri = f"sqlite:///{results.folder.absolute()}/export/mlflow.db"
    assert uri in said
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(results.name)
    runs = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.run_name)
    assert [(run.info.run_name, run.info.status) for run in runs] == [
        ("sizes/broken", "FAILED"),
        ("sizes/opt-tiny-1f9c2a/1", "FINISHED"),
        ("sizes/opt-tiny-1f9c2a/2", "FINISHED"),
    ]
    assert runs[1].data.params["dataset.rows"] == str(CASE["dataset"]["rows"])
    assert runs[1].data.metrics["rows_per_second"] == 100.0 and runs[1].data.tags["outcome"] == "ok"
    history = client.get_metric_history(runs[1].info.run_id, "step.loss")
    assert [(each.step, each.value) for each in history] == list(enumerate(LOSSES, start=1))
    assert "rows_per_second" not in runs[0].data.metrics


def test_a_password_in_an_address_is_not_shown(monkeypatch):
    from benchspec.reports.exports.mlflow import _shown

    assert _shown("https://user:secret@mlflow.example:5000/x") == "https://mlflow.example:5000/x"
    assert _shown("sqlite:////runs/mlflow.db") == "sqlite:////runs/mlflow.db"


def test_tensorboard_has_an_event_file_a_launch(results):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        export(results, "tensorboard")
    home = results.folder / "export" / "tensorboard" / "sizes"
    assert sorted(str(file.parent.relative_to(home)) for file in home.rglob("*tfevents*")) == [
        "broken",
        "opt-tiny-1f9c2a/1",
        "opt-tiny-1f9c2a/2",
    ]
    found = EventAccumulator(str(home / "opt-tiny-1f9c2a" / "1")).Reload()
    assert [(each.step, each.value) for each in found.Scalars("step/loss")] == [
        (number, pytest.approx(loss)) for number, loss in enumerate(LOSSES, start=1)
    ]
    assert found.Scalars("metric/rows_per_second")[0].value == 100.0
    assert found.PluginTagToContent("hparams")


@pytest.mark.slow
def test_wandb_writes_offline_and_nothing_of_this_machine(results, monkeypatch):
    pytest.importorskip("wandb")
    import platform

    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "s3cr3t" * 7)
    (said,) = export(results, "wandb")
    assert said.startswith(f"3 runs of the project '{results.name}'") and "wandb sync" in said
    files = [file for file in (results.folder / "export").rglob("*") if file.is_file()]
    assert sum(file.suffix == ".wandb" for file in files) == 3
    for file in files:
        content = file.read_bytes()
        assert b"s3cr3t" not in content
        assert file.suffix != ".wandb" or platform.node().encode() not in content or len(platform.node()) < 4


def test_a_case_whose_files_are_gone_is_exported_with_what_the_matrix_varied(results):
    from shutil import rmtree

    from benchspec.reports.exports.records import records

    rmtree(results.folder / "cases")
    first = records(results)[0]
    assert (first.settings, first.steps, first.metrics["rows_per_second"]) == ({"model": "opt-tiny"}, [], 100.0)


@pytest.mark.parametrize("target", TARGETS)
def test_without_its_library_a_target_says_what_to_install(results, monkeypatch, target):
    from benchspec.reports.exports import export as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(RunError, match=rf"not installed: .*pip install -e '\.\[{target}\]', then export again"):
        export(results, target)
    assert not (results.folder / "export").exists()


def test_a_run_without_results_is_not_exported(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(BenchspecError, match="has no results"):
        export(Results.load(tmp_path), "parquet")
