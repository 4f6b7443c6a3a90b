"""What is missing to run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from machines import facts, without

from benchspec.machine import missing, text as machine_text


def test_nothing_is_missing_on_a_complete_server():
    assert missing.missing(facts()) == []
    assert machine_text.report(facts(), []).endswith("nothing is missing to run benchmarks\n")


def test_missing_libraries_name_the_extra_to_install():
    found = facts(libraries=without("torch", "transformers", "accelerate", "deepspeed"), torch=None)
    assert missing.missing(found) == [
        "torch, transformers, accelerate are not installed: in benchspec's checkout, run pip install -e '.[train]'",
        "deepspeed is not installed (only the backend 'deepspeed' needs it): in benchspec's checkout, run pip install -e '.[deepspeed]'",
    ]
    assert (
        machine_text.report(found, missing.missing(found))
        .rstrip()
        .endswith("in benchspec's checkout, run pip install -e '.[deepspeed]'")
    )


def test_only_what_stops_every_run_is_a_blocker():
    found = facts(libraries=without("accelerate", "deepspeed"), shared_memory=64 * 2**20)
    assert missing.blockers(found) == [
        "accelerate is not installed: in benchspec's checkout, run pip install -e '.[train]'"
    ]
    assert len(missing.missing(found)) == 3


@pytest.mark.parametrize(
    ("name", "version", "fits"),
    [
        ("torch", "2.11.0", True),
        ("torch", "2.13.0+cpu", True),
        ("torch", "2.11.0a0+git1234", True),
        ("torch", "2.9.1", False),
        ("transformers", "5.17.0", True),
        ("transformers", "5.18.0.dev0", True),
        ("transformers", "5.16.2", False),
        ("transformers", "6.0.0", False),
    ],
)
def test_versions_outside_the_supported_range_are_named(name, version, fits):
    lines = missing.missing(facts(libraries={**facts()["libraries"], name: version}))
    assert not any("benchspec" in line for line in lines), "pip would fetch another project of this name"
    assert lines == [] if fits else lines[0].startswith(f"{name} {version} is not supported (it must be ")


def test_supported_versions_are_those_that_the_package_asks_for():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    asked = set(project["optional-dependencies"]["train"])
    ranges = missing.SUPPORTED.items()
    assert {f"{name}>={least}" + (f",<{below}" if below else "") for name, (least, below) in ranges} <= asked


def test_a_torch_newer_than_the_driver_is_refused():
    torch = {"cuda": "13.0", "cudnn": None, "nccl": None, "accelerators": 0}
    (line,) = missing.blockers(facts(driver="535.104.05", driver_cuda="12.2", torch=torch))
    assert line.startswith("the driver sees 8 × NVIDIA H100 80GB HBM3, but torch 2.13.0+cu128 sees none: ")
    assert "built for CUDA 13.0 and driver 535.104.05 supports CUDA up to 12.2" in line
    assert "install a newer driver, or a torch built for CUDA 12 " in line


def test_a_torch_without_cuda_is_refused_where_there_are_gpus():
    torch = {"cuda": None, "cudnn": None, "nccl": None, "accelerators": 0}
    (line,) = missing.blockers(facts(torch=torch))
    assert "it is built without CUDA" in line
    assert missing.blockers(facts(torch=torch, accelerators=[])) == []


def test_a_gpu_in_mig_mode_that_torch_does_not_see_needs_a_slice():
    torch = {"cuda": "12.8", "cudnn": None, "nccl": None, "accelerators": 0}
    cut = {**facts()["accelerators"][0], "mig": True}
    (line,) = missing.blockers(facts(torch=torch, accelerators=[cut]))
    assert "set CUDA_VISIBLE_DEVICES to an existing MIG slice" in line


def test_a_broken_torch_is_refused_with_its_error():
    (line,) = missing.blockers(facts(torch={"error": "OSError: libcudart.so.13"}))
    assert line == "torch 2.13.0+cu128 is installed, but cannot be imported: OSError: libcudart.so.13"


def test_little_shared_memory_matters_between_gpus_only():
    (line,) = missing.missing(facts(shared_memory=64 * 2**20))
    assert line.startswith("/dev/shm has 64 MiB, too little for NCCL with 8 GPUs: ")
    alone = facts(shared_memory=64 * 2**20, accelerators=facts()["accelerators"][:1], links=[])
    assert missing.missing(alone) == []


def test_what_offloading_compiles_with_is_missed_where_there_are_gpus():
    (line,) = missing.missing(facts(absent_tools=["ninja"]))
    assert (
        line == "ninja is not found (only 'offload_optimizer' of the backend 'deepspeed' needs it): pip install ninja"
    )
    assert missing.missing(facts(absent_tools=["ninja"], accelerators=[])) == []
    assert missing.blockers(facts(absent_tools=["ninja", "a C++ compiler"])) == []
