"""run.json: what was asked for, and the machine that it was measured on."""

import json
from pathlib import Path

import pytest

from benchspec import run
from benchspec.machine import Accelerator, describe
from benchspec.running import runfile
from benchspec.terms.errors import BenchspecError


def test_a_broken_run_json_is_one_line(scripted):
    run(scripted("ok"))
    Path("runs/demo/run.json").write_text("{")
    with pytest.raises(BenchspecError, match=r"run\.json: error: not JSON"):
        run(scripted("ok"))


def test_a_lost_run_json_is_written_again(scripted):
    run(scripted("ok"))
    Path("runs/demo/run.json").unlink()
    assert run(scripted("ok")).name == "demo"


def test_a_finished_run_keeps_the_machine_that_it_was_measured_on(scripted):
    run(scripted("ok"))
    file = Path("runs/demo/run.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine_line": "8 × H100"}))
    assert run(scripted("ok")).run["machine_line"] == "8 × H100"


def test_run_json_holds_what_was_asked_for(scripted):
    more = (
        "references:\n  - source: a paper\n    metric: train_runtime\n    values: [{experiment: ends, value: 15 min}]\n"
    )
    spec = scripted("ok", "oom", more=more + "report: [csv]\n", sets=["defaults.train.seed=7"])
    found = run(spec)
    ran = json.loads(Path("runs/demo/run.json").read_text())
    names = [f"ends/{each.case}" for each in found]
    assert (ran["name"], ran["set"], ran["report"]) == ("demo", ["defaults.train.seed=7"], ["csv"])
    assert ran["spec"] == spec.plain() and ran["spec"]["defaults"]["train"] == {"seed": 7}
    assert ran["file"] == str(Path("demo.yaml").absolute())
    assert ran["cases"] == [["ends", each.case] for each in found]
    assert ran["expected"] == {name: ["ok"] for name in names}
    published = {"source": "a paper", "hardware": None, "metric": "train_runtime", "value": 900}
    assert ran["published"] == {name: [published] for name in names}
    assert "scripted 1.0 (scripted)" in ran["plugins"]


def test_the_hash_is_of_what_the_spec_says(scripted):
    same = [runfile.spec_hash(scripted("ok", more=comment)) for comment in ("", "# a comment\n")]
    other = runfile.spec_hash(scripted("ok", sets=["defaults.train.seed=7"]))
    assert same[0] == same[1] != other


@pytest.fixture
def here(monkeypatch):
    """Says which accelerators this machine has."""

    def set(*accelerators):
        found = [{"name": name, "memory": 80e9} for name in accelerators]
        nvidia = {"accelerators": found, "links": [], "driver": "570.1", "driver_cuda": "12.8"}
        monkeypatch.setattr(describe, "nvidia", lambda: nvidia)

    return set


NAMED = ["hardware={name: custom, accelerators: 8}"]


def test_figures_of_another_machine_are_remarked_on(scripted, here):
    here("Acme One", "Acme One")
    ran = run(scripted("ok", sets=NAMED)).run
    assert ran["hardware"] == "custom"
    assert ran["machine_line"].startswith("2 × Acme One, driver 570.1")
    assert ran["machine_line"].endswith(
        "; MFU and cost use the figures of custom; this machine differs: 2 accelerators, not 8"
    )


def test_figures_of_this_machine_need_no_remark(scripted, here):
    here(*["Acme One"] * 8)
    assert "figures of" not in run(scripted("ok", sets=NAMED)).run["machine_line"]


def test_earlier_results_from_another_machine_are_remarked_on(scripted, here):
    here("Acme One")
    first = run(scripted("ok")).run["machine_line"]
    here("Acme Two")
    again = run(scripted("ok", "oom")).run["machine_line"]
    assert again.startswith("1 × Acme Two") and again.endswith(f"; earlier results: {first}")


REFERENCE = """
references:
  - {source: a paper, hardware: xe9680-h100, metric: train_runtime, values: [{experiment: ends, value: 1}]}
"""


@pytest.mark.parametrize(
    ("accelerators", "name"),
    [(8, "xe9680-h100"), (4, "4 × NVIDIA H100 80GB HBM3"), (0, "a CPU")],
)
def test_auto_is_the_published_machine_that_it_is_or_what_it_has(scripted, monkeypatch, accelerators, name):
    gpu = Accelerator(name="NVIDIA H100 80GB HBM3", uuid="GPU-1", memory=85_520_809_984, power_limit=700.0, mig=False)
    monkeypatch.setattr("benchspec.machine.accelerators", lambda: [gpu] * accelerators)
    assert runfile.hardware_name(scripted("ok", more=REFERENCE)) == name
