"""The page for authors of reporters, docs/reports.md: its code runs, and its tables name what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from example_results import oom, published, result, results

import benchspec.reports
from benchspec import Reporter
from benchspec.results.events import EventLog

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def reporter(number):
    """The reporter of the page's first or second module."""
    module = {}
    exec([text for language, text in BLOCKS if language == "python"][number], module)
    (cls,) = module["benchspec_register"]()
    return cls({})


def first_column(heading):
    rows = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0].splitlines()
    return [
        name for row in rows if row.startswith("| `") for name in re.findall(r"`(?:results\.)?(\w+)", row.split("|")[1])
    ]


def test_the_table_prints_what_the_page_shows():
    (shown,) = [text for language, text in BLOCKS if language == ""]
    text = reporter(0).render(results(result(), oom()))
    assert [line.rstrip() for line in text.splitlines()] == shown.splitlines()


def test_the_files_hold_every_step(tmp_path):
    found = results(result())
    found.folder = tmp_path
    folder = tmp_path / "cases/sizes/opt-6.7b-1f9c2a/1"
    folder.mkdir(parents=True)
    counts = {"rows": 1, "tokens": 1, "padded_tokens": 1, "loss_tokens": 1}
    EventLog(folder, 0).add("step", step=1, **counts, loss=1.9, grad_norm=0.5)
    losses = reporter(1)
    assert losses.render(found) == ""
    assert losses.files(found) == {"losses/sizes/opt-6.7b-1f9c2a-1.csv": b"step,loss\n1,1.9"}


def test_the_page_names_all_that_benchspec_reports_has():
    values = {"ABSENT", "Column", "Report", "Section", "Chart", "Series", "Mark", "Bound", "Line"}
    assert set(first_column("What benchspec.reports provides")) == set(benchspec.reports.__all__) - values


@pytest.mark.parametrize(
    ("heading", "owner"), [("What a reporter is given", results()), ("What a reporter defines", Reporter({}))]
)
def test_the_page_names_attributes_that_there_are(heading, owner):
    names = first_column(heading)
    assert names and all(hasattr(owner, name) for name in names)
    if isinstance(owner, Reporter):
        assert set(names) == {name for name in vars(Reporter) if not name.startswith("_")} - {"kind"}
        assert all(inspect.getdoc(getattr(owner, name)) for name in ("render", "files"))


def test_the_page_names_the_keys_of_verdicts_and_steps():
    verdict = results((result(), published(value=1))).verdicts[0]
    assert all(f"`{key}`" in PAGE for key in (*verdict, "step", "seconds", "loss", "grad_norm", "rows", "tokens"))
