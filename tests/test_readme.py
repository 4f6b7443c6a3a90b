"""README and docs agree with the code: commands, options, files and specs on the pages."""

import re
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from benchspec import BenchspecError
from benchspec.cases.expand import expand
from benchspec.cli import INTERRUPTED, cli
from benchspec.kinds.discovery import GROUP
from benchspec.kinds.registry import Registry
from benchspec.spec import schema, yaml12
from benchspec.spec.spec import check
from benchspec.terms import schemas

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "third_party" / "benchspec-example"
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
#: what a fragment of a spec needs around it
AROUND = {"benchspec": 1, "name": "docs", "experiments": {"one": {}}}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def code(page):
    """All code on a page: the lines of its blocks, and the texts between backticks."""
    text = page.read_text()
    shown = [
        line
        for block in re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [*shown, *re.findall(r"`([^`]+)`", prose)]


def column(heading):
    """The code in the first column of README's table under a heading."""
    rows = README.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.fixture
def with_example(monkeypatch):
    """The installed plugins and the example's."""
    monkeypatch.syspath_prepend(EXAMPLE)
    points = [point for point in entry_points(group=GROUP) if point.value != "benchspec_example"]
    yield Registry.load([*points, EntryPoint("example", "benchspec_example", GROUP)])
    sys.modules.pop("benchspec_example", None)


def test_the_plugin_in_readme_is_the_example_package():
    assert blocks(README, "python") == [(EXAMPLE / "benchspec_example.py").read_text()]
    (table,) = blocks(README, "toml")
    assert table.strip() == (EXAMPLE / "pyproject.toml").read_text().strip()
    assert (EXAMPLE / "example.yaml").read_text() in blocks(README, "yaml")


@pages
def test_whole_specs_on_a_page_are_valid(page, with_example, tmp_path):
    for text in blocks(page.read_text(), "yaml"):
        if "\nname:" in text and "…" not in text:
            (tmp_path / "spec.yaml").write_text(text)
            spec, problems = check(tmp_path / "spec.yaml", (), with_example)
            assert problems == [] and expand(spec).problems == []
            assert expand(spec).cases


@pages
def test_parts_of_specs_on_a_page_are_valid(page, with_example):
    composed = schema.compose(with_example)
    for text in blocks(page.read_text(), "yaml"):
        found = yaml12.parse(text, page.name, page.parent).plain()
        if "…" in text:
            assert set(found) <= set(composed["properties"])
        elif "name" not in found:
            assert [error.message for error in schema.validator(composed).iter_errors(AROUND | found)] == []


def test_the_outline_of_a_spec_names_every_key():
    (outline,) = [text for text in blocks((ROOT / "docs" / "spec.md").read_text(), "yaml") if "…" in text]
    assert set(yaml12.parse(outline, "spec.md", ROOT).plain()) == set(schemas.load("spec")["properties"])


def test_the_table_of_options_is_that_of_run():
    parameters = [one for one in cli.commands["run"].params if one.param_type_name == "option"]
    assert column("option") == [" ".join(filter(None, (one.opts[0], one.metavar))) for one in parameters]


def test_the_table_of_exit_codes_is_that_of_the_code():
    kinds = [BenchspecError, *BenchspecError.__subclasses__()]
    assert list(map(int, column("exit code"))) == sorted({0, 1, INTERRUPTED, *(kind.exit_code for kind in kinds)})


@pages
def test_every_command_on_a_page_exists(page):
    for line in code(page):
        for words in re.findall(r"^(?:\.venv/bin/)?benchspec ([a-z].*)", line):
            name, *rest = words.partition("#")[0].split()
            assert name in cli.commands, line
            known = {option for one in cli.commands[name].params for option in one.opts}
            assert {word for word in rest if word.startswith("--")} <= known, line


@pages
def test_every_make_target_and_script_on_a_page_exists(page):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in code(page):
        assert set(re.findall(r"^make ([a-z]+)", line)) <= set(targets), line
        for script in re.findall(r"^python ([\w/]+\.py)", line):
            assert (ROOT / script).exists(), line


@pages
def test_every_file_on_a_page_exists(page):
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    folders = "benchmarks|benchspec|docs|plugins|schemas|specs|tests"
    named = [ROOT / name for line in code(page) for name in re.findall(rf"(?<![\w/.])((?:{folders})/[\w./-]*)", line)]
    assert [path for path in [*links, *named] if not path.exists()] == []


def test_every_extra_in_readme_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {name for _, name in re.findall(r"(benchspec|-e ')\.?\[(\w+)\]", README)}
    assert named == {"train", "deepspeed", "methods", "generate", "slurm", "compare"} <= set(extras)
