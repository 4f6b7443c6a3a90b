"""docs/json.md has every key that `--format json` prints, and no other."""

import json
import re
from pathlib import Path

import pytest
from commands import called
from example_results import oom, result, results
from small import SMALL

from benchspec.cli import cli

PAGE = (Path(__file__).parents[1] / "docs" / "json.md").read_text()


def keys(section, head="key"):
    """The keys in a section's table; a cell may hold several."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = text.partition(f"\n| {head} | holds |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    found = [key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert found and len(found) == len(set(found))
    return set(found)


@pytest.fixture
def printed(write, monkeypatch, capsys):
    """The JSON that a command prints."""
    monkeypatch.chdir(write(SMALL).parent)

    def printed(*arguments):
        called(monkeypatch, *arguments, "--format", "json")
        shown = capsys.readouterr()
        assert shown.err == ""
        return json.loads(shown.out)

    return printed


def test_a_problem(printed, write):
    write(SMALL.replace("model:", "modle:"))
    problems = printed("validate", "spec.yaml")
    assert problems and {key for one in problems for key in one} == keys("A problem")


def test_a_planned_case(printed):
    (case,) = printed("plan", "spec.yaml")
    assert set(case) == keys("A planned case")
    assert set(case["needs"]) == keys("A planned case", "key of `needs`")


def test_a_report(printed, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    found = results(result(), oom())
    (folder / "run.json").write_text(json.dumps(found.run))
    (folder / "results.jsonl").write_text("".join(json.dumps(one.to_json()) + "\n" for one in found))
    assert set(printed("report", "run")) == keys("A report")


def test_plugins(printed, installed):
    installed("broken_plugin", "raise ValueError")
    found = printed("plugins")
    assert set(found) == keys("Plugins")
    assert all(set(one) == keys("Plugins", "key of a plugin") for one in found["plugins"])
    options = [option for one in found["plugins"] for option in one["options"]]
    assert {key for one in options for key in one} == {"name", "type", "required", "default", "description"}
    assert [set(one) for one in found["broken"]] == [{"distribution", "module", "reason"}]
    (alone,) = printed("plugins", "opt-6.7b")["plugins"]
    assert (alone["preset_of"], alone["parameters"]) == ("opt", 6_658_473_984)


def test_a_machine(printed):
    found = printed("machine")
    assert set(found) == keys("A machine")
    assert set(found["cpu"]) == {"model", "sockets", "cores", "threads", "usable"}


def test_every_command_with_a_format_is_on_the_page():
    with_format = {
        name for name, command in cli.commands.items() if any("--format" in one.opts for one in command.params)
    }
    named = {
        line.split()[2] for line in PAGE.splitlines() if line.startswith("| `benchspec ") and "--format json" in line
    }
    assert named == with_format
    # What `schema` prints is JSON, and what `export` and `verify` print is no table.
    assert set(cli.commands) - with_format == {"export", "schema", "verify"}
