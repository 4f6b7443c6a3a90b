"""DeepSpeed's optimizer for offloaded states is compiled before training, or what hinders it is said."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("deepspeed")

from drive_backend import backend_class, create
from torch.utils import cpp_extension

from benchspec import PluginError, Results
from benchspec_plugins.backends import deepspeed_compile, deepspeed_setup

ON_DRIVE = {"stage": 3, "offload_optimizer": {"device": "nvme", "nvme_path": "/tmp"}}
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
        "offload_optimizer: DeepSpeed compiles what it needs, and a C++ compiler is not found: "
        "install one, e.g. apt-get install g++",
        "offload_optimizer: DeepSpeed compiles what it needs, and ninja is not found: pip install ninja",
    ]


def test_nothing_is_missing_where_nothing_is_compiled(machine):
    machine(8, "ninja")
    assert not create(backend_class("deepspeed"), {"stage": 2}).missing(online=False)
    # torch's own optimizer is as good on a CPU.
    machine(0, "ninja")
    assert not create(backend_class("deepspeed"), OFFLOADED).missing(online=False)
    assert create(backend_class("deepspeed"), ON_DRIVE).missing(online=False)


@pytest.fixture
def lock(monkeypatch, tmp_path):
    """The lock of a compilation that has ended, in a folder behind a link."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "link"))
    found = Path(cpp_extension._get_build_directory("async_io", verbose=False)) / "lock"
    found.touch()
    return found


def test_a_lock_that_nobody_holds_is_removed_once_nothing_changes(lock, monkeypatch, capsys):
    monkeypatch.setattr(deepspeed_compile, "LEFT", 0)
    deepspeed_compile._await_left_lock("async_io")
    assert not lock.exists() and f"{lock.resolve()}: left by a process that was killed" in capsys.readouterr().err


def test_a_lock_that_a_process_holds_stays(lock, monkeypatch):
    monkeypatch.setattr(deepspeed_compile, "LEFT", 0)
    with lock.open("rb"):
        deepspeed_compile._await_left_lock("async_io")
    assert lock.exists()


def is_compiled(name):
    """Whether torch would load an extension from its cache as it is: compiled in this environment, from these files."""
    folder = Path(cpp_extension._get_build_directory(name, verbose=False))
    if not (folder / f"{name}.so").is_file() or sys.prefix not in (folder / "build.ninja").read_text():
        return False
    ninja = [Path(sys.executable).with_name("ninja"), "-n", "-C", folder]
    return "no work to do" in subprocess.run(ninja, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.slow
def test_states_on_a_drive_train_as_those_in_memory(tmp_path):
    """The model is large enough that DeepSpeed writes its states to files."""
    if not is_compiled("async_io"):
        pytest.skip(
            "DeepSpeed's reader of drives is not compiled here, which takes minutes and libaio: any case does it"
        )
    (tmp_path / "drive").mkdir()
    places = [{}, {"offload_optimizer": {"device": "nvme", "nvme_path": str(tmp_path / "drive")}}]
    spec = {
        "benchspec": 1,
        "name": "drive",
        "defaults": {
            "model": {"name": "opt-tiny", "layers": 4, "hidden": 384, "ffn": 1536, "heads": 6},
            "dataset": {"name": "synthetic", "rows": 32},
            "launcher": {"name": "torchrun", "processes": 2},
            "train": {"precision": "fp32", "max_steps": 3, "max_length": 256, "gradient_accumulation": 1},
        },
        "experiments": {"a": {"matrix": {"backend": [{"name": "deepspeed", "stage": 3, **each} for each in places]}}},
    }
    (tmp_path / "drive.yaml").write_text(json.dumps(spec))
    command = [Path(sys.executable).with_name("benchspec"), "run", "drive.yaml", "--out", "run"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    results = Results.load(tmp_path / "run")
    memory, drive = ([step["loss"] for step in results.steps(each)] for each in results)
    assert drive == pytest.approx(memory, rel=1e-6) and len(drive) == 3


@pytest.mark.slow
def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cxx").write_text(COMPILER)
    (tmp_path / "cxx").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "cxx"))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    deepspeed_setup.set_up()
    # Without a GPU nothing is compiled.
    deepspeed_compile.compile_optimizer(on_drive=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(PluginError, match=r"cannot compile what offload_optimizer needs: cpu_adam.cpp:1:10: fatal"):
        create(backend_class("deepspeed"), OFFLOADED).building()
