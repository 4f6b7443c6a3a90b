"""Reports in Markdown files, held against their run directories."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import called
from example_results import RUN, oom, result

from benchspec import BenchspecError
from benchspec.reports.verify import verify
from benchspec.results import Results, append


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The run directory runs/demo of two experiments, in the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/demo")
    folder.mkdir(parents=True)
    for each in (result(), oom(), result(experiment="rows", axes={"dataset.rows": 10_000})):
        append(folder, each)
    experiments = {**RUN["experiments"], "rows": {"title": "By rows"}}
    (folder / "run.json").write_text(json.dumps({**RUN, "experiments": experiments, "started": 1.7e9}))
    return folder


def page(run, *experiments):
    """A README with the whole report, or with some experiments'."""
    results = Results.load(run)
    texts = [results.of_experiment(name).report("markdown") for name in experiments] or [results.report("markdown")]
    file = Path("README.md")
    file.write_text("# Ours\n\n" + "\n".join(texts) + "\nThe end.\n")
    return file


@pytest.mark.parametrize("experiments", [(), ("sizes",), ("sizes", "rows")])
def test_what_was_reported_is_as_measured(run, experiments, monkeypatch, capsys):
    file = page(run, *experiments)
    before = file.read_text()
    assert called(monkeypatch, "verify", file) == 0
    assert capsys.readouterr() == ("README.md: as measured\n", "")
    assert called(monkeypatch, "verify", file, "--write") == 0
    assert file.read_text() == before


def test_each_file_is_told_of_before_the_next_is_read(run, monkeypatch, capsys):
    file = page(run)
    file.write_text(file.read_text().replace("14 min 2 s", "13 min 2 s", 1))
    assert called(monkeypatch, "verify", file, "gone.md", "--write") == 2
    mended, gone = capsys.readouterr().err.splitlines()
    assert mended.endswith("brought up to date") and "gone.md: cannot be read" in gone


def test_one_experiment_is_its_tables_alone(run):
    text = page(run, "rows").read_text()
    assert "<!-- benchspec: runs/demo#rows -->\n\n|   rows | outcome" in text
    assert "opt-30b" not in text and "## By rows" not in text


def test_one_edited_digit_is_found_and_can_be_mended(run, monkeypatch, capsys):
    file = page(run)
    truth = file.read_text()
    file.write_text(truth.replace("14 min 2 s", "13 min 2 s", 1))
    assert called(monkeypatch, "verify", file) == 1
    number = next(n for n, line in enumerate(truth.splitlines(), 1) if "14 min 2 s" in line)
    assert capsys.readouterr().err == (
        f"README.md:{number}: opt-6.7b, train time: found '13 min 2 s', expected '14 min 2 s'\n"
    )
    assert called(monkeypatch, "verify", file, "--write") == 0
    assert file.read_text() == truth


def test_a_result_that_came_later_is_found(run, monkeypatch, capsys):
    file = page(run, "rows")
    append(run, result(experiment="rows", case="again", axes={"dataset.rows": 20_000}))
    assert called(monkeypatch, "verify", file) == 1
    assert "expected '| 20,000 | ok " in capsys.readouterr().err


def test_a_file_elsewhere_finds_the_run_beside_it(run, monkeypatch, tmp_path):
    text = page(run).read_text().replace("benchspec: runs/demo", "benchspec: demo")
    (run.parent / "page.md").write_text(text)
    monkeypatch.chdir(tmp_path.parent)
    assert called(monkeypatch, "verify", tmp_path / "runs/page.md") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("<!-- /benchspec -->", ""),
            "README.md:3: this marker has no <!-- /benchspec",
        ),
        (lambda text: "nothing\n", "README.md: it has no report"),
        (
            lambda text: text.replace("runs/demo", "runs/gone"),
            "README.md:3: no run directory 'runs/gone' beside the file, nor in the working directory",
        ),
        (lambda text: text.replace("runs/demo", "runs/demo#gone"), "no experiment is called 'gone' (sizes, rows)"),
    ],
)
def test_what_cannot_be_verified_is_one_line_and_nothing_is_written(run, monkeypatch, capsys, change, message):
    file = page(run)
    file.write_text(change(file.read_text()))
    before = file.read_text()
    assert called(monkeypatch, "verify", file, "--write") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert file.read_text() == before


def test_a_file_that_is_none_is_one_line(run, monkeypatch, capsys):
    assert called(monkeypatch, "verify", "gone.md") == 2
    assert capsys.readouterr().err == "error: gone.md: cannot be read: No such file or directory\n"


def test_a_report_on_one_experiment_leaves_the_files_of_the_run_as_they_are(run, monkeypatch, capsys):
    called(monkeypatch, "report", run)
    before = {file: file.read_bytes() for file in run.glob("report.*")}
    capsys.readouterr()
    called(monkeypatch, "report", run, "--experiment", "rows")
    shown = capsys.readouterr()
    assert "By rows" in shown.out and "opt-30b" not in shown.out
    assert {file: file.read_bytes() for file in run.glob("report.*")} == before


def test_line_ends_and_permissions_of_a_file_stay(run):
    file = page(run)
    before = file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before.replace(b"14 min 2 s", b"13 min 2 s", 1))
    file.chmod(0o640)
    assert len(verify(file)) == 1
    assert verify(file, write=True)
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["README.md", "runs/demo/run.json", "runs/demo/results.jsonl"])
def test_a_named_pipe_is_not_waited_for(run, name):
    file = page(run)
    Path(name).unlink()
    os.mkfifo(name)
    with pytest.raises(BenchspecError, match=f"{name}: .*it is not a file"):
        verify(file)


def test_a_byte_order_mark_is_kept(run, monkeypatch):
    file = page(run)
    text = file.read_text().removeprefix("# Ours\n\n")
    file.write_text("\ufeff" + text)
    assert called(monkeypatch, "verify", file) == 0
    file.write_text("\ufeff" + text.replace("14 min 2 s", "13 min 2 s", 1))
    assert called(monkeypatch, "verify", file, "--write") == 0
    assert file.read_text() == "\ufeff" + text


def test_an_indented_report_is_refused(run, monkeypatch, capsys):
    file = page(run)
    file.write_text(file.read_text().replace("<!-- benchspec", "  <!-- benchspec"))
    assert called(monkeypatch, "verify", file) == 2
    assert "README.md:3: this marker is indented: a report and its markers begin their lines" in capsys.readouterr().err
