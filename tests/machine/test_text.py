"""A machine as text."""

from __future__ import annotations

import re

import pytest
from machines import facts, without

from benchspec.machine import text as machine_text


def test_the_line_under_every_report():
    assert machine_text.line(facts()) == (
        "8 × NVIDIA H100 80GB HBM3 (NVLink), driver 570.86.15, CUDA 12.8, NCCL 2.27.7; "
        "2 × Intel Xeon Platinum 8470, 104 cores, 2 TiB RAM; Linux 5.15; "
        "Python 3.11.7, torch 2.13.0+cu128, transformers 5.23.0, DeepSpeed 0.19.8; benchspec 0.1.0 (a1b2c3d)"
    )


def test_the_line_without_gpu_torch_or_checkout():
    cpu = {"model": "AMD EPYC", "sockets": None, "cores": None, "threads": 4, "usable": 1.5}
    bare = facts(
        accelerators=[],
        links=[],
        cpu=cpu,
        memory=24 * 2**30,
        libraries=without("torch", "transformers", "deepspeed"),
        torch=None,
        commit={"id": "f" * 40, "dirty": True},
    )
    assert machine_text.line(bare) == (
        "no accelerator; AMD EPYC, 4 threads (1.5 of 4 threads usable), 24 GiB RAM; Linux 5.15; "
        "Python 3.11.7; benchspec 0.1.0 (fffffff, modified)"
    )
    assert machine_text.line({**bare, "commit": None}).endswith("benchspec 0.1.0")


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([["X", "PIX"], ["PIX", "X"]], "8 × NVIDIA H100 80GB HBM3 (PCIe), driver"),
        ([["X", "NV12", "SYS"], ["NV12", "X", "SYS"], ["SYS", "SYS", "X"]], "(NVLink and PCIe), driver"),
        ([["X", "?"], ["?", "X"]], "8 × NVIDIA H100 80GB HBM3, driver"),
        ([], "8 × NVIDIA H100 80GB HBM3, driver"),
    ],
)
def test_the_line_says_how_gpus_are_linked(links, said):
    assert said in machine_text.line(facts(links=links))


def test_different_gpus_are_counted_apart():
    first = facts()["accelerators"][0]
    line = machine_text.line(facts(accelerators=[first, first, {**first, "name": "NVIDIA L4"}], links=[]))
    assert line.startswith("2 × NVIDIA H100 80GB HBM3, 1 × NVIDIA L4, driver")


def test_the_report_shows_every_part():
    text = machine_text.report(facts(libraries=without("accelerate")), ["accelerate is not installed"])
    assert re.search(r"^  7 +NVIDIA H100 80GB HBM3 +79\.6 GiB +700 W", text, re.MULTILINE)
    assert re.search(r"^  7( +NV18){7} +X$", text, re.MULTILINE)
    assert re.search(r"^  processor +2 × Intel Xeon Platinum 8470$", text, re.MULTILINE)
    assert re.search(r"^  accelerate +not installed$", text, re.MULTILINE)
    assert re.search(r"^  NCCL +2\.27\.7$", text, re.MULTILINE)
    assert text.endswith("Missing\n  - accelerate is not installed\n")


def test_the_report_shows_what_was_measured_with_its_units():
    measured = {"fp32": 1.234e11, "tf32": None, "bf16": 9.9e14, "memory_bandwidth": 3.2e12, "host_to_device": None}
    text = machine_text.report(facts(), [], measured)
    assert re.search(r"^  matrix products, fp32 +123 GFLOP/s$", text, re.MULTILINE)
    assert re.search(r"^  matrix products, bf16 +990,000 GFLOP/s$", text, re.MULTILINE)
    assert re.search(r"^  memory +3,200 GB/s$", text, re.MULTILINE)
    assert "tf32" not in text and "host to device" not in text
