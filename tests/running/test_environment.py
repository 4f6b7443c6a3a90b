"""Another Python environment, driven by its command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchspec.running.environment import Environment, shared_path
from benchspec.terms.errors import RunError


def test_an_interpreter_is_found_by_its_path_or_its_name(tmp_path, monkeypatch):
    assert Environment.of("base", sys.executable, tmp_path).python == sys.executable
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert Environment.of("base", Path(sys.executable).name, tmp_path).python == sys.executable


def test_a_virtual_environments_link_is_not_followed(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert Environment.of("head", str(link), tmp_path).python == str(link)


def test_an_interpreter_that_is_none_is_named(tmp_path):
    with pytest.raises(RunError, match=r"--head /nowhere/python: no such interpreter; give the path of one"):
        Environment.of("head", "/nowhere/python", tmp_path)


def test_an_environment_plans_a_spec(write, tmp_path):
    from small import SMALL

    (case,) = Environment.of("base", sys.executable, tmp_path).plan(str(write(SMALL)), [])
    assert (case["experiment"], case["model"]["name"]) == ("one", "opt-tiny")


def test_what_an_environment_says_of_a_broken_spec_is_passed_on(write, tmp_path):
    environment = Environment.of("head", sys.executable, tmp_path)
    with pytest.raises(RunError, match=r"head \(.*\) cannot plan .*spec.yaml:1:1: error: 'name' is missing"):
        environment.plan(str(write("benchspec: 1\nexperiments: {one: {model: opt-tiny, dataset: alpaca}}\n")), [])


def test_an_interpreter_without_benchspec_says_so(tmp_path):
    """A link to an interpreter of no environment has no packages."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(RunError, match="has no benchspec; install it there"):
        Environment.of("base", str(bare), tmp_path).plan("spec.yaml", [])


def test_a_path_that_both_environments_share_is_warned_of(monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert shared_path() is None
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert "PYTHONPATH is set" in shared_path()


def test_an_interpreter_in_the_working_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert Environment.of("base", "./python", tmp_path).python == str(tmp_path / "python")


def test_a_home_that_nobody_has_is_no_interpreter(tmp_path):
    with pytest.raises(RunError, match="no such interpreter"):
        Environment.of("base", "~nobody-of-this-name/python", tmp_path)


@pytest.mark.parametrize(
    "printed", ["no JSON", "\\377", "{}", "[1]", '[{"id": "x"}]', '[{"experiment": "", "id": "", "axes": {}}]']
)
def test_a_plan_that_is_none_is_an_error_in_one_line(tmp_path, printed):
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\nprintf '{printed}'\n")
    other.chmod(0o755)
    with pytest.raises(RunError, match="it printed something else than cases"):
        Environment.of("base", str(other), tmp_path).plan("spec.yaml", [])
