"""Reports between markers in a Markdown file."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchspec import BenchspecError
from benchspec.reports.blocks import Block, differences, folder_of, found, marked, replaced

TABLE = ["| model   |   rows/s |", "|:--------|---------:|", "| opt-6.7b | 185 |"]


def test_a_report_is_found_between_its_markers():
    text = "# Title\n\n" + marked("runs/demo", None, "\n".join(TABLE)) + "\nmore\n"
    assert found(text) == [Block("runs/demo", None, 3, ["", *TABLE, ""])]
    assert found("no markers, but <!-- benchspec: a --> in a line\n") == []


@pytest.mark.parametrize("run", ["runs/demo", "a b", "runs/--x", "läufe/ü", "a#b", "../x", "a\udcff"])
@pytest.mark.parametrize("experiment", [None, "sizes", "a-->b"])
def test_any_name_survives_its_marker(run, experiment):
    text = marked(run, experiment, "x")
    assert text.count("-->") == 2
    (block,) = found(text)
    assert (block.run, block.experiment) == (run, experiment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- benchspec: a -->\nx\n", "1: this marker has no <!-- /benchspec --> after it"),
        ("x\n<!-- /benchspec -->\n", "2: this marker ends nothing"),
        (
            "<!-- benchspec: a -->\n<!-- benchspec: b -->\n<!-- /benchspec -->\n",
            "2: a marker within the one of line 1",
        ),
    ],
)
def test_torn_and_nested_markers_are_told_with_their_line(text, message):
    with pytest.raises(BenchspecError, match=message):
        found(text)


def test_blocks_are_replaced_and_the_rest_stays():
    text = "a\n" + marked("one", None, "x") + "b\n" + marked("two", "e", "y") + "c"
    new = replaced(text, lambda block: ["", f"new {block.run}", "more", ""])
    assert new == "a\n" + marked("one", None, "new one\nmore") + "b\n" + marked("two", "e", "new two\nmore") + "c"
    assert replaced(new, lambda block: block.lines) == new


def test_a_run_is_relative_to_the_file_else_to_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "docs/runs/a").mkdir(parents=True)
    (tmp_path / "runs/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    file = Path("docs/page.md")
    assert folder_of(Block("runs/a", None, 1, []), file) == Path("docs/runs/a")
    assert folder_of(Block("runs/b", None, 1, []), file) == Path("runs/b")


def told(here, there=TABLE):
    return list(differences(Block("a", None, 10, here), there))


def test_a_cell_that_differs_is_named_by_its_row_and_heading():
    assert told(TABLE) == []
    assert told([*TABLE[:2], "| opt-6.7b | 285 |"]) == [(13, "opt-6.7b, rows/s: found '285', expected '185'")]


def test_a_row_is_named_by_all_that_tells_its_case_apart():
    table = ["| model | backend | outcome | rows/s |", "|---|---|---|---:|", "| opt-tiny | fsdp | ok | 185 |"]
    here = [*table[:2], "| opt-tiny | fsdp | ok | 99 |"]
    assert told(here, table) == [(13, "opt-tiny, fsdp, rows/s: found '99', expected '185'")]


def test_the_width_of_a_table_is_no_difference_but_a_row_more_is():
    assert told([TABLE[0], "|:---|---:|", TABLE[2]]) == []
    assert told([*TABLE, "| more | 1 |"]) == [(14, "found '| more | 1 |', expected nothing")]
    assert told(TABLE[:2]) == [(13, "found nothing, expected '| opt-6.7b | 185 |'")]


def test_other_lines_differ_as_a_whole():
    assert told(["a", *TABLE[1:]], ["b", *TABLE[1:]]) == [(11, "found 'a', expected 'b'")]


def test_several_lines_more_or_fewer_are_one_difference():
    assert told([], ["", *TABLE]) == [(11, f"4 lines are missing, the first: '{TABLE[0]}'")]
    assert told([*TABLE, "", "and", "more"]) == [(14, "3 lines too many, the first: 'and'")]


def test_a_row_more_in_the_middle_is_that_row_alone():
    rows = [*TABLE, "| opt-13b | 90 |"]
    more = [*TABLE[:2], "| opt-1.3b | 400 |", *rows[2:]]
    assert told(more, rows) == [(13, "found '| opt-1.3b | 400 |', expected nothing")]
    assert told(rows, more) == [(13, "found nothing, expected '| opt-1.3b | 400 |'")]
