"""Which host a process is on."""

import subprocess
import sys

from benchspec.machine import host as module
from benchspec.machine.host import host


def test_processes_of_one_host_say_the_same():
    other = [sys.executable, "-c", "from benchspec.machine.host import host; print(host())"]
    assert subprocess.run(other, capture_output=True, text=True, timeout=60).stdout.strip() == host() != ""


def test_a_system_without_an_id_of_its_kernel_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BOOT_ID", tmp_path / "none")
    monkeypatch.setattr(module.platform, "node", lambda: "node1")
    assert host() == "node1"
