"""run.json, as it is read."""

from __future__ import annotations

import json

import pytest
from example_results import published, result, statement
from jsonschema import Draft202012Validator

from benchspec.results.run_json import BrokenRunFileError, read_run
from benchspec.terms import schemas


def written(folder, text):
    (folder / "run.json").write_bytes(text if isinstance(text, bytes) else json.dumps(text).encode())
    return folder


def stated(**fields):
    return statement(published(**fields), result())


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schemas.load("run"))


def test_what_a_newer_version_adds_is_let_through(tmp_path):
    assert read_run(written(tmp_path, {"name": "x", "colour": "red"})) == {"name": "x", "colour": "red"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"{", "not JSON \\(Expecting"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"\x00" * 100, "not JSON"),
        (b"[" * 100_000, "not JSON \\(nested more than 64 levels deep\\)"),
        (b'{"started": NaN}', "not JSON \\(NaN is not in JSON\\)"),
        ([], "\\[\\] is not of type 'object'"),
        ({"name": 3}, "name: 3 is not of type 'string'"),
        ({"cases": [["a"]]}, "cases.0: "),
        ({"cases": {"a": "b"}}, "cases: "),
        ({"experiments": ["a"]}, "experiments: "),
        ({"experiments": {"a": None}}, "experiments.a: None is not of type 'object'"),
        ({"statements": [stated(value="fast")]}, "statements.0.published: 'fast' is not of type 'number'"),
        ({"statements": [stated(value=1, metric="speed")]}, "metric: 'speed' is not valid"),
        ({"statements": [stated(ordering=["a", "b"])]}, "statements.0.by: None is not of type 'string'"),
        ({"statements": [{"experiment": "a"}]}, "statements.0: '[a-z]+' is a required property"),
        ({"report": [3]}, "report.0"),
        ({"report": [{"path": "a"}]}, "report.0"),
        ({"expected": {"a/b": "ok"}}, "expected.a/b: 'ok' is not of type 'array'"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_to_do(tmp_path, text, said):
    with pytest.raises(BrokenRunFileError, match=rf"run\.json: error: .*{said}") as caught:
        read_run(written(tmp_path, text))
    (line,) = str(caught.value).splitlines()
    assert line.endswith(f"; `benchspec run SPEC --out {tmp_path}` writes it anew and keeps the results")
    assert len(line) < 500 + 2 * len(str(tmp_path))
