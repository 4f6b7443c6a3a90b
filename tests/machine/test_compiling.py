"""The tools that compile torch's extensions."""

import pytest

from benchspec.machine.compiling import REMEDIES, absent_tools


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A folder that is the only one in which commands are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


def install(folder, name):
    (folder / name).touch(mode=0o755)


def test_each_tool_that_is_not_found_is_named(path):
    assert absent_tools() == ["a C++ compiler", "ninja"] == list(REMEDIES)
    install(path, "ninja")
    assert absent_tools() == ["a C++ compiler"]
    install(path, "c++")
    assert absent_tools() == []


@pytest.mark.parametrize(
    ("chosen", "absent"), [("clang++ -O2", []), ("g++", ["a C++ compiler"]), ("", ["a C++ compiler"])]
)
def test_the_environment_may_choose_the_compiler(path, monkeypatch, chosen, absent):
    install(path, "ninja")
    install(path, "clang++")
    monkeypatch.setenv("CXX", chosen)
    assert absent_tools() == absent
