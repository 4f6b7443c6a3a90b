"""What all tests share: a cache of their own, and plugins as a user would install them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
from endings import SCRIPTED, SPEC
from small import HEAD

from benchspec import hookimpl, load, plan
from benchspec.machine import describe

#: the command line, however this Python was installed
BENCHSPEC = (sys.executable, "-c", "from benchspec.cli import main; main()")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["BENCHSPEC_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def install(site: Path, module: str, source: str) -> Path:
    """A distribution of one plugin module, as pip would leave it in a site directory."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[benchspec]\n{module} = {module}\n")
    (site / f"{module}.py").write_text(dedent(source))
    return site


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Installs a plugin module for this test, in this process and in those that it starts."""

    def installing(module: str, source: str) -> Path:
        site = install(tmp_path / "site", module, source)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return site

    return installing


@pytest.fixture
def module(monkeypatch):
    """Makes an importable module of a `benchspec_register` that returns the given classes."""

    def make(name, *classes, hook="benchspec_register"):
        found = ModuleType(name)

        def register():
            return list(classes)

        setattr(found, hook, hookimpl(register))
        monkeypatch.setitem(sys.modules, name, found)
        return EntryPoint(name, name, "benchspec")

    return make


@pytest.fixture
def write(tmp_path):
    """Writes a spec into the temporary folder."""

    def write(text, name="spec.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    return write


@pytest.fixture
def cases(write):
    """The cases of an experiment whose fields are given as YAML lines."""

    def cases(fields, *sets, registry=None):
        lines = "".join(f"    {line}\n" for line in fields.splitlines())
        return plan(load(write(HEAD + lines), sets, registry))

    return cases


@pytest.fixture
def scripted(installed, tmp_path, monkeypatch):
    """Makes a spec whose cases end so, by a launcher that starts nothing; the working directory is a temporary one."""
    pytest.importorskip("torch")
    installed("scripted", SCRIPTED)
    monkeypatch.chdir(tmp_path)
    # Asking torch takes a process and two seconds.
    monkeypatch.setattr(describe, "torch_facts", lambda: {})

    def made(*ends, more="", sets=()):
        Path("demo.yaml").write_text(SPEC % ", ".join(ends) + more)
        return load("demo.yaml", sets)

    return made


def benchspec(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line's exit code, stdout and stderr."""
    command = [*BENCHSPEC, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=480
    )


def start(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None, **kwargs: object) -> subprocess.Popen:
    """The command line, running."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **kwargs}
    return subprocess.Popen([*BENCHSPEC, *map(str, arguments)], cwd=cwd, env={**os.environ, **(env or {})}, **pipes)
