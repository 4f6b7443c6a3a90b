"""Whether two machines are the same, and what a machine is called that is none of the known ones."""

import pytest

from benchspec import Fact, Facts
from benchspec.machine.identity import name_of, same_machine


def machine(accelerators=8, name="NVIDIA H100 80GB HBM3", memory=80e9, **peak):
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


def test_a_machine_is_the_known_one_with_the_same_accelerators():
    known = {"a100": machine(name="A100", bf16=312e12), "h100": H100, "again": H100}
    assert name_of(machine(memory=80e9 * 0.98, name="H100 SXM"), known) == "h100"


@pytest.mark.parametrize(
    "other",
    [
        machine(accelerators=4),
        machine(bf16=312e12),
        machine(bf16=989e12, tf32=494e12),
        machine(memory=141e9),
        machine(memory=None),
    ],
    ids=["fewer", "slower", "other precisions", "more memory", "memory not known"],
)
def test_a_machine_that_differs_in_a_figure_is_another(other):
    assert not same_machine(H100, other) and not same_machine(other, H100)


def test_a_little_less_memory_than_a_data_sheet_says_is_no_difference():
    assert same_machine(H100, machine(memory=80e9 * 0.93))
    assert not same_machine(H100, machine(memory=80e9 * 0.91))


def test_machines_that_nothing_is_known_of_are_not_taken_for_the_same():
    assert not same_machine(CPU, CPU)
    assert not same_machine(machine(accelerators=0), machine(accelerators=0))
    unknown = Facts(accelerator="Acme One", accelerators=8)
    assert not same_machine(unknown, unknown)


def test_an_unknown_machine_is_called_by_what_it_has():
    assert name_of(H100, {}) == "8 × NVIDIA H100 80GB HBM3"
    assert name_of(CPU, {"h100": H100}) == "a CPU"
