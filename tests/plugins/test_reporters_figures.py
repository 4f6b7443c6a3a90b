"""Figures: which files there are, and what their text says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import called
from example_results import oom, published, result, results, statement

from benchspec import PluginError
from benchspec.results.events import EventLog

pytest.importorskip("matplotlib")

from benchspec_plugins.reporters.figures import Figures
from benchspec_plugins.reporters.html import Html

HERE = {"hardware": "xe9680-h100"}


def files(*cases, metrics=("train_runtime",), steps=True, folder=None, **run):
    found = results(*cases, **{**HERE, **run})
    if folder:
        found.folder = folder
    return Figures({"metrics": list(metrics), "steps": steps}).files(found)


def texts(svg):
    """The texts of an SVG, which are text and not shapes."""
    return [" ".join(text.split()) for text in re.findall(r"<text[^>]*>([^<]+)</text>", svg.decode())]


def rows(count):
    return result(metrics={"train_runtime": count / 50}, case=f"rows-{count}", axes={"dataset.rows": count})


def test_names_are_bars_with_what_failed_and_what_was_published():
    small = result("opt-125m", {"train_runtime": 150.0}), published(below=600)
    large = result("opt-6.7b", {"train_runtime": 841.7}), published(value=900)
    found = files(small, large, oom())
    assert list(found) == ["figures/sizes.svg", "figures/sizes.png"]
    shown = texts(found["figures/sizes.svg"])
    assert "Fine-tuning time by model size (Figure 6)" in shown
    assert {"opt-125m", "opt-6.7b", "opt-30b", "model", "train time (min)", "measured", "oom"} <= set(shown)
    assert "published upper bound: Fauber and Patel 2023, Figure 6 (on xe9680-h100)" in shown
    assert "published value: Fauber and Patel 2023, Figure 6 (on xe9680-h100)" in shown
    assert found["figures/sizes.png"].startswith(b"\x89PNG")


def test_numbers_are_a_line_and_over_more_than_a_power_of_ten_also_in_powers_of_ten():
    cases = [rows(count) for count in (10_000, 50_000, 100_000)]
    slope = statement(published(slope=180, per={"dataset.rows": 10_000}), *cases)
    found = files(*cases, statements=[slope])
    names = ["figures/sizes.svg", "figures/sizes.png", "figures/sizes-log.svg", "figures/sizes-log.png"]
    assert list(found) == names
    for name in names[::2]:
        shown = texts(found[name])
        assert "fitted line, R² 1.0000" in shown
        assert any(text.startswith("published slope, from the origin") for text in shown)
        assert not any("mathdefault" in text for text in shown)
    assert list(files(rows(10_000), rows(50_000))) == names[:2]


def test_the_same_results_give_the_same_files():
    assert files(result(), oom()) == files(result(), oom())


def test_projected_bars_are_hollow_and_say_so():
    shown = files(result(basis={"train_runtime": "projected"}))["figures/sizes.svg"]
    assert "projected" in texts(shown) and "measured" not in texts(shown)
    assert "fill: #ffffff; stroke-dasharray" in shown.decode()


def test_other_metrics_can_be_drawn():
    found = files(result(), metrics=["mfu", "rows_per_second"])
    assert [name for name in found if name.endswith("svg")] == [
        "figures/sizes-mfu.svg",
        "figures/sizes-rows_per_second.svg",
    ]


@pytest.fixture
def with_steps(tmp_path):
    folder = tmp_path / "cases/sizes/opt-6.7b-1f9c2a/1"
    folder.mkdir(parents=True)
    log = EventLog(folder, 0)
    for step in (1, 2, 3):
        log.add("step", step=step, rows=1, tokens=1, padded_tokens=1, loss_tokens=1, loss=2.0 / step, grad_norm=0.5)
    return tmp_path


def test_each_case_has_its_losses_and_step_times(with_steps):
    found = files(result(), folder=with_steps)
    shown = texts(found["figures/steps/sizes/opt-6.7b-1f9c2a.svg"])
    assert {"sizes/opt-6.7b-1f9c2a", "loss (nats/token)", "step time (s)", "optimizer step"} <= set(shown)
    assert "figures/steps/sizes/opt-6.7b-1f9c2a.svg" not in files(result(), folder=with_steps, steps=False)


@pytest.mark.parametrize("hostile", ["a$b$c", "<script>alert(1)</script>", "../../x", "a\x1b[31mb", "字" * 300])
def test_no_title_or_name_can_break_a_figure_or_leave_its_folder(hostile):
    found = files(result(axes={"model": hostile}, experiment=hostile), experiments={hostile: {"title": hostile}})
    assert all(re.fullmatch(r"figures/[^/]+\.(svg|png)", name) for name in found) and len(found) == 2
    assert "<script" not in next(iter(found.values())).decode()


def test_nothing_is_drawn_of_nothing():
    assert files() == {}
    assert Figures({"metrics": [], "steps": True}).render(results()) == ""


@pytest.mark.parametrize("reporter", [Figures, Html])
def test_without_matplotlib_a_line_says_what_to_install(monkeypatch, reporter):
    monkeypatch.setattr("benchspec_plugins.reporters.figures.find_spec", lambda name: None)
    line = "matplotlib and jinja2 not installed; in benchspec's checkout, run pip install -e '.[figures]'"
    made = reporter({"metrics": [], "steps": False})
    assert made.missing(online=False) == [line]
    with pytest.raises(PluginError, match=re.escape(line)):
        made.render(results(result())), made.files(results(result()))


def test_a_run_whose_reports_cannot_be_made_is_refused_before_the_first_case(scripted, monkeypatch, capsys):
    scripted("ok", more="report: [table, html]\n")
    monkeypatch.setattr("benchspec_plugins.reporters.figures.find_spec", lambda name: None)
    assert called(monkeypatch, "run", "demo.yaml") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the reporter 'html' of benchspec") and "matplotlib and jinja2 not installed" in line
    assert not Path("runs").exists()


def test_the_options_are_metrics_that_there_are():
    schema = Figures.options_schema["properties"]["metrics"]
    assert "train_runtime" in schema["items"]["enum"] and json.dumps(schema)
