"""The description of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil

from benchspec.machine import describe as machine, missing, probe, text as machine_text


def test_this_machine_is_described_in_json():
    found = json.loads(json.dumps(machine.describe()))
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["memory"] == psutil.virtual_memory().total
    assert 0 < found["cpu"]["usable"] <= found["cpu"]["threads"]
    assert re.fullmatch(r"\d+\.\d+.*", found["libraries"]["benchspec"])
    assert (found["torch"] is None) == (found["libraries"]["torch"] is None)
    assert machine_text.line(found)
    assert machine_text.report(found, missing.missing(found))


def test_a_description_has_neither_host_name_nor_environment(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_a_secret")
    monkeypatch.setattr("platform.node", lambda: "node-0815")
    monkeypatch.setattr(machine, "torch_facts", lambda: {})
    found = machine.describe()
    assert not {"node", "host", "hostname", "environment"} & set(found)
    assert "hf_a_secret" not in json.dumps(found)
    assert "node-0815" not in json.dumps(found)


def test_importing_it_imports_nothing_heavy():
    code = "import sys, benchspec.machine.describe; print({'torch', 'numpy', 'pynvml', 'psutil', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_torch_that_does_not_start_is_reported(monkeypatch):
    monkeypatch.setattr(probe, "_PROBE", "raise OSError('libcudart.so.13: cannot open shared object file')")
    assert probe.torch_facts() == {"error": "OSError: libcudart.so.13: cannot open shared object file"}
    monkeypatch.setattr(probe, "_PROBE", "import os; os._exit(7)")
    assert probe.torch_facts() == {"error": "exit code 7"}


def test_torch_may_print_before_it_answers(monkeypatch):
    monkeypatch.setattr(probe, "_PROBE", "print('a notice'); print('{\"accelerators\": 0}')")
    assert probe.torch_facts() == {"accelerators": 0}


def test_models_and_sockets_of_processors():
    text = "".join(f"processor\t: {n}\nmodel name\t: AMD EPYC 9654\nphysical id\t: {n % 2}\n\n" for n in range(4))
    assert machine._cpuinfo(text) == {"model": "AMD EPYC 9654", "sockets": 2}
    assert machine._cpuinfo("processor\t: 0\nCPU implementer\t: 0x41\n")["sockets"] is None


def git(folder: Path, *arguments: str) -> str:
    # A hook or a rebase that runs the tests would point git at its own repository.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, env=clean, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_its_commit_and_whether_it_was_changed(tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "tag", "-a", "v1", "-m", "a tag does not replace the commit")
    assert machine._commit(tmp_path) == {"id": commit, "dirty": False}
    (tmp_path / "file").write_text("two")
    assert machine._commit(tmp_path) == {"id": commit, "dirty": True}


def test_an_installation_inside_another_repository_has_no_commit(tmp_path):
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "somebody else's")
    (tmp_path / "site-packages").mkdir()
    assert machine._commit(tmp_path) is not None
    assert machine._commit(tmp_path / "site-packages") is None


def test_a_repository_without_commits_has_no_commit(tmp_path):
    git(tmp_path, "init")
    assert machine._commit(tmp_path) is None
