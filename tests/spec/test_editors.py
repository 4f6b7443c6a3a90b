"""The schema that editors use: axes, quantities and grouped digits, as JSON schema sees them."""

import re

import pytest
from jsonschema import Draft202012Validator
from plugged import beside, dataset, only

from benchspec.cases.expand import expand
from benchspec.kinds.registry import Registry
from benchspec.spec.editors import for_editors
from benchspec.spec.spec import check
from benchspec.terms.units import DURATIONS, SIZES, quantity

SCHEMA = for_editors(Registry.load())
AXES = SCHEMA["$defs"]["axes"]["properties"]


def said(matrix, schema=SCHEMA):
    """The places of what is wrong with a matrix."""
    part = {"$defs": schema["$defs"], "$ref": "#/$defs/matrix"}
    return [".".join(map(str, error.absolute_path)) for error in Draft202012Validator(part).iter_errors(matrix)]


@pytest.mark.parametrize(
    "matrix",
    [
        {"model": ["opt-1.3b", {"name": "opt-6.7b", "layers": 2}, "benchspec:opt-13b"]},
        {"model.layers": [2, 4, None], "model.name": ["opt", "bloom"]},
        {"dataset.rows": ["10_000", 20000]},
        {"dataset.of": ["alpaca", {"name": "synthetic", "rows": 8}], "dataset.of.rows": [8]},
        {"dataset.of.of.rows": [8]},
        {"backend": ["fsdp", {"name": "deepspeed", "stage": 3}], "backend.offload_param.device": ["cpu"]},
        {"train": [{"batch_size": 4}], "train.save.every": [5], "train.learning_rate": [2e-5]},
        {"limits.timeout": ["15 min", "6h", "1.5 D", 90, "1_000 s"]},
        {"model": ["opt-tiny"], "include": [{"train.batch_size": 4}], "exclude": [{"model": "opt-tiny"}]},
    ],
)
def test_what_an_editor_accepts(matrix):
    assert said(matrix) == []


@pytest.mark.parametrize(
    ("matrix", "place"),
    [
        ({"model": ["opt-1.3c"]}, "model.0"),
        ({"model": ["benchspec:opt-1.3c"]}, "model.0"),
        ({"model": [{"name": "opt-tiny", "layer": 2}]}, "model.0"),
        ({"model.layers": ["two"]}, "model.layers.0"),
        ({"backend.stage": [4]}, "backend.stage.0"),
        ({"backend.offload_param.device": ["disk"]}, "backend.offload_param.device.0"),
        ({"train.bach_size": [4]}, ""),
        ({"dataset.of.row": [8]}, ""),
        ({"train.batch_size": [0]}, "train.batch_size.0"),
        ({"train.batch_size": ["four"]}, "train.batch_size.0"),
        ({"train.batch_size": 4}, "train.batch_size"),
        ({"train.batch_size": []}, "train.batch_size"),
        ({"train": [{"batch_sise": 4}]}, "train.0"),
        ({"limits.timeout": ["15 minits"]}, "limits.timeout.0"),
        ({"include": [{"modle": "opt-tiny"}]}, "include.0"),
        ({"exclude": [{"model": "opt-1.3c"}]}, "exclude.0.model"),
    ],
)
def test_what_an_editor_marks(matrix, place):
    assert set(said(matrix)) == {place}


def test_every_axis_that_is_offered_is_explained():
    assert [path for path, fragment in AXES.items() if not fragment.get("description")] == []
    matrix = SCHEMA["$defs"]["matrix"]["properties"]
    assert set(matrix) == {*AXES, "include", "exclude"}
    assert matrix["train.batch_size"]["description"] == "Axis: rows per process and micro-batch"


@pytest.mark.parametrize(
    "path", ["train.batch_size", "dataset.rows", "model.layers", "train.save.keep", "limits.timeout"]
)
def test_an_axis_takes_what_its_field_takes(write, path):
    values = {"train.batch_size": 4, "dataset.rows": 8, "model.layers": 2, "limits.timeout": "15 min"}
    matrix = {path: [values.get(path, 1)], **({"train.save.every": [2]} if "save" in path else {})}
    assert said(matrix) == []
    text = "benchspec: 1\nname: x\ndefaults: {model: opt-tiny, dataset: synthetic}\nexperiments:\n  one:\n    matrix: "
    spec, problems = check(write(f"{text}{matrix}\n".replace("'", "")))
    assert problems == [] and expand(spec).problems == []


def test_options_of_any_plugin_are_axes():
    either = {"properties": {"rows": {"enum": ["few", "many"], "description": "how many"}, "more": {"type": "object"}}}
    schema = for_editors(beside(dataset("theirs", options_schema=either)))
    assert said({"dataset.rows": ["few", 8], "dataset.more.any.key": [1]}, schema) == []
    assert said({"dataset.rows": ["lots"]}, schema) == ["dataset.rows.0"]
    assert "; or how many" in schema["$defs"]["axes"]["properties"]["dataset.rows"]["description"]


def test_without_plugins_there_is_a_schema():
    schema = for_editors(only())
    Draft202012Validator.check_schema(schema)
    assert said({"train.batch_size": [4]}, schema) == []


def pattern(fragment):
    """The pattern that the schema has for a fragment's texts."""
    schema = for_editors(only(dataset("theirs", options_schema={"properties": {"n": fragment}})))
    return re.compile(schema["$defs"]["axes"]["properties"]["dataset.n"]["pattern"])


@pytest.mark.parametrize(("format", "units"), [("seconds", DURATIONS), ("size", SIZES)])
@pytest.mark.parametrize(
    "text",
    ["15 min", "1.5h", "2E3 s", "80 GiB", "80gib", "1_000 KB", "min", "15", "-3 s", "15 m", "15 min.", "80 GB s", ""],
)
def test_the_pattern_of_a_quantity_takes_what_a_spec_takes(format, units, text):
    try:
        quantity(text, units)
        right = True
    except ValueError:
        right = False
    assert bool(pattern({"type": ["number", "string"], "format": format}).search(text)) == right


@pytest.mark.parametrize(
    ("text", "right"), [("10_000", True), ("1_2_3", True), ("10000", False), ("_1", False), ("1_", False)]
)
def test_grouped_digits_are_a_number_that_yaml_calls_text(text, right):
    assert bool(pattern({"type": "integer"}).search(text)) == right
