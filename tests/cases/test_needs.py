"""What a case will need, as `benchspec plan` shows it."""

import json
import re

import pytest
from commands import called
from plugged import beside
from small import HEAD

from benchspec import Launcher, Model, PluginError, Recipe, load, run
from benchspec.cases.expand import expand
from benchspec.cases.needs import as_table, needed as needed_by, needs, planned
from benchspec.terms.fitting import UNLIMITED


@pytest.fixture
def needing(write, monkeypatch, capsys):
    """What `plan --format json` says that the only case needs, on a machine with 8 GPUs."""

    def needing(fields, *sets):
        file = write(HEAD + "".join(f"    {line}\n" for line in fields.splitlines()))
        options = [f"--set={text}" for text in ("hardware=xe9680-h100", *sets)]
        assert called(monkeypatch, "plan", file, "--format", "json", *options) == 0
        (case,) = json.loads(capsys.readouterr().out)
        return case["needs"]

    return needing


def needed(spec):
    """What the only case of a spec needs."""
    expansion = expand(spec)
    (case,) = expansion.cases
    return needs(spec, case, expansion.plugins[case.experiment, case.id])


def test_the_shape_is_known_without_torch(cases, tmp_path):
    cases("model: opt-6.7b")
    assert needed(load(tmp_path / "spec.yaml"))["parameters"] == 6_658_473_984


def test_json_lists_what_a_case_needs(needing):
    found = needing("model: opt-6.7b\nlimits: {timeout: 6 h}")
    shape = found.pop("shape")
    assert found == {
        "processes": 8,
        "hosts": 1,
        "rows_per_step": 4 * 8 * 8,
        "rows": 52_002,
        "steps": 612,  # as Trainer counts them for Alpaca on 8 processes, 3 epochs
        "parameters": 6_658_473_984,
        "training_state_bytes": 16 * 6_658_473_984,
        "timeout": 6 * 3600,
    }
    assert (shape["layers"], shape["hidden"], shape["positions"]) == (32, 4096, 2048)


@pytest.mark.parametrize(
    ("fields", "rows", "steps"),
    [
        ("dataset: {name: synthetic, rows: 1000}\ntrain: {epochs: 1}", 1000, 4),
        ("dataset: {name: resampled, of: alpaca, rows: 10_000}", 10_000, 3 * 40),
        ("dataset: {name: resampled, of: {name: synthetic, rows: 8}, rows: 256}\ntrain: {epochs: 2}", 256, 2),
        ("dataset: {name: synthetic, rows: 1000}\ntrain: {max_steps: 7}", 1000, 7),
        ("dataset: alpaca", None, None),
        ("dataset: alpaca\ntrain: {max_steps: 7}", None, 7),
    ],
)
def test_rows_and_steps_are_given_if_known_without_reading_data(needing, fields, rows, steps):
    found = needing(fields)
    assert (found["rows"], found["steps"]) == (rows, steps)


def test_rows_per_step_count_all_processes(needing):
    found = needing("launcher: {name: torchrun, processes: 2}\ntrain: {batch_size: 3, gradient_accumulation: 5}")
    assert (found["processes"], found["rows_per_step"]) == (2, 30)


class Unknown(Model):
    name = "unknown"


class Endless(Recipe):
    name = "endless"


class Cluster(Launcher):
    name = "cluster"
    options_schema = {"properties": {"nodes": {"type": "integer"}, "per_node": {"type": "integer"}}}

    def processes(self):
        return self.options["nodes"] * self.options["per_node"]

    def hosts(self):
        return self.options["nodes"]


FIELDS = "model: unknown\nrecipe: endless\nbackend: ddp\nlauncher: {name: cluster, nodes: 4, per_node: 8}"


def test_figures_that_plugins_do_not_know_are_none(cases, write, tmp_path):
    registry = beside(Unknown, Endless, Cluster)
    cases(FIELDS, registry=registry)
    found = needed(load(tmp_path / "spec.yaml", registry=registry))
    assert {key for key, value in found.items() if value is None} == {
        "steps",
        "parameters",
        "training_state_bytes",
        "shape",
        "timeout",
    }
    assert (found["processes"], found["hosts"], found["rows_per_step"]) == (32, 4, 4 * 8 * 32)


def row(cases, tmp_path, fields, *sets, registry=None):
    """The only case's row of the table: heading -> cell."""
    registry = registry or beside()
    cases(fields, *sets, registry=registry)
    spec = load(tmp_path / "spec.yaml", sets, registry)
    expansion = expand(spec)
    plans = planned(needed_by(spec, expansion), expansion.cases, [], expansion.cases)
    head, line, row, *_ = as_table(plans, None, UNLIMITED).splitlines()
    ends = [start + len(dashes) for start, dashes in starts(line)]
    begins = [start for start, _ in starts(line)]
    return {head[a:b].strip(): row[a:b].strip() for a, b in zip(begins, ends, strict=True)}


def starts(line):
    return [(match.start(), match.group()) for match in re.finditer("-+", line)]


def test_the_table_shows_the_same_figures_as_text(cases, tmp_path):
    fields = "model: opt-6.7b\ndataset: {name: resampled, of: alpaca, rows: 10_000}\nlimits: {timeout: 6 h}"
    found = row(cases, tmp_path, fields, "hardware=xe9680-h100")
    assert found.pop("case").startswith("one/opt-6.7b-")
    assert found == {
        "parameters": "6.66 G",
        "state": "99.2 GiB",
        "dataset": "resampled, 10,000 rows",
        "backend": "fsdp",
        "processes": "8",
        "rows/step": "256",
        "length": "3 epochs",
        "timeout": "6 h",
    }


def test_the_table_marks_unknown_figures(cases, tmp_path):
    fields = FIELDS + "\ndataset: alpaca\ntrain: {max_steps: 7}"
    found = row(cases, tmp_path, fields, registry=beside(Unknown, Endless, Cluster))
    assert (found["parameters"], found["state"], found["dataset"]) == ("?", "?", "alpaca")
    assert (found["processes"], found["length"], found["timeout"]) == ("32", "7 steps", "none")


@pytest.mark.parametrize(("base", "method"), [(Launcher, "hosts"), (Recipe, "steps")])
@pytest.mark.parametrize("answer", ["many", ZeroDivisionError("a bug")])
def test_a_plugin_that_cannot_tell_what_is_needed_is_one_line(write, base, method, answer):
    def tell(self, *rest):
        if isinstance(answer, Exception):
            raise answer
        return answer

    cls = type("Acme", (base,), {"name": "acme", method: tell})
    file = write(HEAD + f"    {base.kind}: acme\n    dataset: {{name: synthetic, rows: 8}}\n")
    spec = load(file, registry=beside(cls))
    with pytest.raises(PluginError, match=r"a plugin cannot tell what the case needs: .*test_needs\.py:\d+\)"):
        needed(spec)


MANY = """\
dataset: {name: resampled, of: alpaca, rows: 10_000}
matrix:
  model: [opt-1.3b, opt-6.7b]
  dataset.rows: [10_000, 10_000_000]
"""


def many(write, width, fields=MANY):
    """The table of an experiment's cases."""
    spec = load(write(HEAD + "".join(f"    {line}\n" for line in fields.splitlines())), ["hardware=xe9680-h100"])
    expansion = expand(spec)
    return as_table(
        planned(needed_by(spec, expansion), expansion.cases, [], expansion.cases), None, width
    ), expansion.cases


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_fits_the_terminal_and_tears_no_case(write, width):
    text, cases = many(write, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(case.id in text for case in cases)
    assert "All cases: backend fsdp, processes 8, rows/step 256, length 3 epochs" in text.replace("\n", " ")


def test_a_wide_terminal_shows_every_column_of_every_case(write):
    text, cases = many(write, 200)
    assert "All cases" not in text and text.count("fsdp") == text.count("3 epochs") == len(cases) == 4


def test_cases_that_are_all_alike_keep_their_names(write):
    text, cases = many(write, 40, "matrix: {train.seed: [1, 2]}\nmodel: opt-tiny")
    assert all(case.id in text for case in cases)


def test_plan_shows_what_is_done_already_and_what_only_selects(scripted, tmp_path, monkeypatch, capsys):
    run(scripted("ok", "crash", "oom"))
    scripted("ok", "crash", "oom", "mistake")
    assert called(monkeypatch, "plan", "demo.yaml") == 0
    text = capsys.readouterr().out
    results = [" ".join(line.split()[-3:]) for line in text.splitlines()[2:6]]
    assert [line.rsplit("none ", 1)[1] for line in results[:1]] == ["ok"]
    assert "crash; runs again" in text and "none yet" in text
    assert "4 cases; 2 done in runs/demo, 2 to run." in text

    assert called(monkeypatch, "plan", "demo.yaml", "--only", "crash", "--only", "oom", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(case["axes"]["launcher.end"], case["outcome"], case["done"]) for case in found] == [
        ("crash", "crash", False),
        ("oom", "oom", True),
    ]
    assert found[0]["needs"]["processes"] == 1

    assert called(monkeypatch, "plan", "demo.yaml", "--out", "elsewhere") == 0
    assert "4 cases. state:" in capsys.readouterr().out
    assert called(monkeypatch, "plan", "demo.yaml", "--only", "nothing") == 3
    assert not (tmp_path / "elsewhere").exists()
