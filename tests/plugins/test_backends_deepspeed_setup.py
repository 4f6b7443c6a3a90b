"""DeepSpeed's optimizer for offloaded states is compiled before training, or what hinders it is said."""

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("deepspeed")

from drive_backend import backend_class, create

from benchspec import PluginError
from benchspec_plugins.backends import deepspeed_setup

OFFLOADED = {"stage": 2, "offload_optimizer": {"device": "cpu"}}

COMPILER = """#!/bin/sh
case "$1" in -dump*|--version) exec c++ "$@" ;; esac
echo "cpu_adam.cpp:1:10: fatal error: immintrin.h: No such file or directory" >&2
exit 1
"""


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, without the named tools."""

    def made(gpus, *absent):
        monkeypatch.setattr("benchspec.machine.accelerators", lambda: [SimpleNamespace()] * gpus)
        monkeypatch.setattr("benchspec.machine.compiling.absent_tools", lambda: list(absent))

    return made


def test_what_compiling_takes_is_missing_before_the_first_case(machine):
    machine(8, "a C++ compiler", "ninja")
    lines = create(backend_class("deepspeed"), OFFLOADED).missing(online=False)
    assert lines == [
        "offload_optimizer: DeepSpeed compiles its optimizer, and a C++ compiler is not found: "
        "install one, e.g. apt-get install g++",
        "offload_optimizer: DeepSpeed compiles its optimizer, and ninja is not found: pip install ninja",
    ]


def test_nothing_is_missing_where_nothing_is_compiled(machine):
    machine(8, "ninja")
    assert not create(backend_class("deepspeed"), {"stage": 2}).missing(online=False)
    # torch's own optimizer is as good on a CPU.
    machine(0, "ninja")
    assert not create(backend_class("deepspeed"), OFFLOADED).missing(online=False)


@pytest.mark.slow
def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cxx").write_text(COMPILER)
    (tmp_path / "cxx").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "cxx"))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    deepspeed_setup.set_up()
    # Without a GPU nothing is compiled.
    deepspeed_setup.compile_optimizer(on_drive=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(
        PluginError, match=r"cannot compile its optimizer \(offload_optimizer\): cpu_adam.cpp:1:10: fatal"
    ):
        create(backend_class("deepspeed"), OFFLOADED).building()
