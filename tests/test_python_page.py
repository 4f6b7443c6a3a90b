"""benchspec from Python: the notebook runs from top to bottom, and the page names what there is."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from example_results import result, results

import benchspec

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "python.md").read_text()
NOTEBOOK = json.loads((DOCS / "example.ipynb").read_text())


def cells():
    """The source of each cell with code."""
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def executed(source, namespace):
    """The value of a cell's last line, if it is an expression, as a notebook shows it."""
    tree = ast.parse(source)
    shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    return eval(compile(ast.Expression(shown.value), "<cell>", "eval"), namespace) if shown else None


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(DOCS)
    namespace = {}
    shown = [executed(cell, namespace) for cell in cells()]
    planned, measured, first, told, frame, steps, printed, loaded = shown
    assert "backends/opt-tiny" in planned[0] and len(planned) == 7
    assert [each.outcome for each in measured] == ["ok", "ok"]
    assert first is measured[0] and told[0] == "ok"
    assert list(frame["backend"]) == ["ddp", "fsdp"] and (frame["train_runtime"] > 0).all()
    assert list(steps["step"]) == [1, 2, 3, 4, 5, 6]
    assert printed is None and "| ddp" in capsys.readouterr().out
    assert [each.case for each in loaded] == [each.case for each in measured]
    assert all("<table>" in each._repr_html_() for each in (measured, first, loaded))


def test_the_notebook_is_kept_without_outputs():
    assert NOTEBOOK["nbformat"] == 4
    assert all(cell["outputs"] == [] for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")


def column(heading):
    """The code in the first column of the page's table under a heading."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return re.findall(r"`([^`]+)`", " ".join(row.split(" | ")[0] for row in rows))


def test_the_page_names_attributes_that_there_are():
    found = results(result())
    assert all(hasattr(benchspec, name.partition("(")[0].partition(".")[0]) for name in column("name"))
    assert {"results.rows()", "results.verdicts"} <= set(column("expression"))
    for name in re.findall(r"results\.(\w+)", " ".join(column("expression"))):
        assert hasattr(found, name)
    assert all(hasattr(found[0], name.removesuffix("()")) for name in column("attribute"))
    assert {"axes", "metrics", "units", "numbers"} <= set(column("attribute"))


def test_the_code_of_the_page_is_that_of_the_package():
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    imported = next(node for node in ast.parse(code).body if isinstance(node, ast.ImportFrom))
    assert all(alias.name in benchspec.__all__ for alias in imported.names)
