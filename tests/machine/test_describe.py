"""The description of this machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys

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
