"""run.json: what was asked for, and the machine that it was measured on."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchspec import run
from benchspec.machine import Accelerator, describe
from benchspec.results.run_json import read_run
from benchspec.running import runfile
from benchspec.running.progress import Lines
from benchspec.terms import schemas


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cases": 3}'])
def test_a_run_json_that_a_power_failure_tore_is_written_anew(scripted, capsys, text):
    (before,) = run(scripted("ok"))
    file = Path("runs/demo/run.json")
    whole = json.loads(file.read_text())
    file.write_text(text)
    (after,) = run(scripted("ok"), progress=Lines(sys.stderr))
    assert (after.attempt, after.finished) == ("1", before.finished)
    assert json.loads(file.read_text())["cases"] == whole["cases"]
    assert "warning: runs/demo/run.json: error: " in capsys.readouterr().err


def test_what_is_written_follows_its_schema(scripted):
    run(scripted("ok", "oom"))
    assert read_run(Path("runs/demo"))["cases"]
    assert set(json.loads(Path("runs/demo/run.json").read_text())) <= set(schemas.load("run")["properties"])


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
    stated = [(each["source"], each["metric"], each["kind"], each["published"]) for each in ran["statements"]]
    assert stated == [("a paper", "train_runtime", "value", 900)] * 2
    assert [each["cases"][0]["case"] for each in ran["statements"]] == [each.case for each in found]
    assert ran["shared"]["dataset"] == {"name": "synthetic", "rows": 8} and ran["shared"]["epochs"] == 3
    assert "scripted 1.0 (scripted)" in ran["plugins"]


def test_the_hash_is_of_what_the_spec_says(scripted):
    same = [runfile.spec_hash(scripted("ok", more=comment)) for comment in ("", "# a comment\n")]
    other = runfile.spec_hash(scripted("ok", sets=["defaults.train.seed=7"]))
    assert same[0] == same[1] != other


@pytest.fixture
def gpus(monkeypatch):
    """Gives this machine the named accelerators, of 80 GiB each."""

    def set(*names):
        found = [
            Accelerator(name=name, uuid=None, memory=85_520_809_984, power_limit=None, mig=False) for name in names
        ]
        plain = [asdict(each) for each in found]
        nvidia = {"accelerators": plain, "links": [], "driver": "570.1", "driver_cuda": "12.8"}
        monkeypatch.setattr(describe, "nvidia", lambda: nvidia)
        monkeypatch.setattr("benchspec.machine.accelerators", lambda: found)

    return set


NAMED = ["hardware={name: custom, accelerator: Acme Two, accelerators: 8, peak: {bf16: 1e15}}"]


def test_a_named_machine_that_this_one_is_not_is_said(scripted, gpus):
    gpus("Acme One", "Acme One")
    ran = run(scripted("ok", sets=NAMED)).run
    assert ran["hardware"] == "custom"
    assert ran["other_figures"] == "the figures of custom; this machine differs: 2 × Acme One, not 8 × Acme Two"


def test_a_named_machine_that_this_one_may_be_needs_no_remark(scripted, gpus):
    gpus(*["Acme Two"] * 8)
    assert run(scripted("ok", sets=NAMED)).run["other_figures"] is None


def test_an_accelerator_is_not_taken_for_another_of_the_same_number(scripted, gpus):
    gpus(*["NVIDIA A100-SXM4-80GB"] * 8)
    found = run(scripted("ok", sets=["hardware=xe9680-h100"]))
    assert found.run["other_figures"].endswith(
        "8 × NVIDIA A100-SXM4-80GB, not 8 × NVIDIA H100 80GB HBM3; bf16 peak 312 TFLOP/s, not 989.4; "
        "tf32 peak 156 TFLOP/s, not 494.7; fp32 peak 19.5 TFLOP/s, not 66.9"
    )


def test_earlier_results_from_another_machine_are_marked(scripted, gpus):
    gpus("Acme One")
    run(scripted("ok"))
    gpus("Acme Two")
    first, second = found = run(scripted("ok", "oom"))
    assert found.run["machine_line"].startswith("1 × Acme Two")
    assert found.changes(first) == ["accelerators: 1 × Acme One, now 1 × Acme Two"]
    assert found.changes(second) == []


REFERENCE = """
references:
  - {source: a paper, hardware: xe9680-h100, metric: train_runtime, values: [{experiment: ends, value: 1}]}
"""


@pytest.mark.parametrize(
    ("accelerators", "words"),
    [
        (8, "8 × NVIDIA H100 80GB HBM3 (the accelerators of xe9680-h100)"),
        (4, "4 × NVIDIA H100 80GB HBM3"),
        (0, "a CPU"),
    ],
)
def test_auto_is_what_this_machine_has_never_a_published_machine(scripted, gpus, accelerators, words):
    gpus(*["NVIDIA H100 80GB HBM3"] * accelerators)
    ran = run(scripted("ok", more=REFERENCE)).run
    assert (ran["hardware"], ran["other_figures"]) == (words, None)


def test_only_who_names_a_machine_makes_it_that_machine(scripted, gpus):
    gpus(*["NVIDIA H100 80GB HBM3"] * 8)
    ran = run(scripted("ok", more=REFERENCE, sets=["hardware=xe9680-h100"])).run
    assert (ran["hardware"], ran["other_figures"]) == ("xe9680-h100", None)
