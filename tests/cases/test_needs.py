"""What a case will need."""

import json

import pytest
from commands import called
from plugged import beside
from small import HEAD

from benchspec import Launcher, Model, PluginError, Recipe, load
from benchspec.cases.check import checked
from benchspec.cases.expand import expand
from benchspec.cases.needs import needs


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
    return needs(spec, case, expansion.plugins[case.key])


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


def test_a_case_without_training_needs_weights_and_no_rows(needing):
    found = needing("model: opt-6.7b\nmethod: none\nquery: {prompts: [Hello.]}")
    assert (found["steps"], found["rows"], found["rows_per_step"], found["processes"]) == (0, 0, 0, 1)
    assert found["training_state_bytes"] == 4 * 6_658_473_984


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


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("full", 6_658_473_984 * 16),
        # One of 32 blocks; the norm after it is left out.
        ("frozen", 6_658_473_984 * 4 + 201_379_840 * 12),
        ("lora", 6_658_473_984 * 4 + 4_194_304 * 16),
        ("{name: lora, targets: [fc1]}", None),
    ],
)
def test_the_state_depends_on_what_a_method_trains(write, method, parameters) -> None:
    file = write(f"""
        benchspec: 1
        name: x
        experiments:
          one: {{model: opt-6.7b, dataset: synthetic, method: {method}}}
    """)
    _, expansion, needed, _ = checked(str(file))
    (case,) = expansion.cases
    assert needed[case.key]["training_state_bytes"] == parameters
