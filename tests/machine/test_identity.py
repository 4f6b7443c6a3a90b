"""What this machine is called, and how it compares with a named one."""

import pytest

from benchspec import Fact, Facts
from benchspec.machine.identity import differences, title

NAME = "NVIDIA H100 80GB HBM3"


def machine(accelerators=8, name=NAME, memory=80e9, **peak):
    """A server whose figures are from anywhere: where they are from makes no difference."""
    source = f"page {accelerators} of {name}"
    return Facts(
        accelerator=name,
        accelerators=accelerators,
        memory=memory and Fact(memory, source),
        peak={precision: Fact(value, source) for precision, value in (peak or {"bf16": 989e12}).items()},
    )


H100 = machine()
CPU = Facts(accelerator=None, accelerators=0)


def test_a_machine_is_called_by_its_accelerators_and_who_else_has_them():
    known = {"a100": machine(name="NVIDIA A100", bf16=312e12), "h100": H100, "rented": H100, "half": machine(4)}
    assert title(H100, known) == f"8 × {NAME} (the accelerators of h100, rented)"
    assert title(machine(2), known) == f"2 × {NAME}"
    assert title(CPU, {**known, "cpu": CPU}) == "a CPU"


def test_a_machine_whose_accelerators_have_no_name_is_nobody_s():
    assert title(H100, {"unnamed": machine(name=None)}) == f"8 × {NAME}"
    # A provider that does not say which form of A100 it has: none of them is certainly its.
    assert title(machine(name="NVIDIA A100-SXM4-80GB"), {"cloud": machine(name="NVIDIA A100 80GB")}).endswith(
        "SXM4-80GB"
    )


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (machine(accelerators=4), [f"4 × {NAME}, not 8 × {NAME}"]),
        (machine(name="NVIDIA A100"), [f"8 × NVIDIA A100, not 8 × {NAME}"]),
        (machine(bf16=312e12, fp32=19e12), ["bf16 peak 312 TFLOP/s, not 989"]),
        (machine(memory=141e9), ["memory 131 GiB, not 74.5 GiB"]),
        (CPU, [f"a CPU, not 8 × {NAME}"]),
    ],
)
def test_each_figure_that_differs_is_told(here, words):
    assert differences(H100, here) == words


def test_what_is_unknown_is_no_difference():
    unknown = Facts(accelerator=None, accelerators=8)
    assert differences(unknown, H100) == differences(H100, unknown) == []
    assert differences(Facts(accelerator=None, accelerators=1), H100) == [f"8 × {NAME}, not 1 accelerator"]


def test_older_drivers_leave_the_vendor_out():
    assert differences(H100, machine(name="H100 80GB HBM3")) == []


def test_a_little_less_memory_than_a_data_sheet_says_is_no_difference():
    assert differences(H100, machine(memory=80e9 * 0.93)) == []
    assert differences(H100, machine(memory=80e9 * 0.91)) != []
