"""A spec as a whole: loaded, with all of its mistakes or none."""

from pathlib import Path

import pytest
from small import SMALL, mistakes, replaced

from benchspec import SpecError, load, plan


def test_a_small_spec_is_all_right(write):
    assert mistakes(write(SMALL)) == []
    assert load(write(SMALL)).name == "small"


def test_a_spec_error_holds_all_problems(write):
    with pytest.raises(SpecError) as caught:
        load(write(replaced("rows: 100", "rows: x") + "nonsense: 1\n"))
    assert len(caught.value.problems) == 2


def test_every_spec_of_ours_is_valid_and_can_be_planned():
    for file in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml")):
        assert plan(load(file)), file
        assert file.read_text().startswith("# yaml-language-server: $schema=../schemas/spec.schema.json\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "report: [{name: json, path: results.jsonl}]\n",
            "'results.jsonl' is not free: run.json, results.jsonl",
        ),
        (SMALL + "report: [{name: json, path: cases/../run.json}]\n", "is not free"),
        (SMALL + "report: [{name: json, path: ../x.json}]\n", "'../x.json' is no file inside the run directory"),
        (SMALL + "report: [{name: json, path: /x.json}]\n", "'/x.json' is no file inside the run directory"),
        (SMALL + "report: [{name: json, path: x}, {name: csv, path: ./x}]\n", "another report has the path './x'"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what(write, text, message):
    found = mistakes(write(text))
    assert any(message in line for line in found), found
    assert len(found) == 1
