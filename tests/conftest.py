"""What all tests share: a cache of their own, and plugins as a user would install them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

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


def benchspec(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line's exit code, stdout and stderr."""
    command = [*BENCHSPEC, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=240
    )


def start(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None, **kwargs: object) -> subprocess.Popen:
    """The command line, running."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **kwargs}
    return subprocess.Popen([*BENCHSPEC, *map(str, arguments)], cwd=cwd, env={**os.environ, **(env or {})}, **pipes)
