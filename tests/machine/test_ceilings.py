"""What a device can do at most."""

import sys
import time

import pytest

from benchspec import BenchspecError
from benchspec.machine import ceilings


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(ceilings, "SECONDS", 0.01)
    monkeypatch.setattr(ceilings, "COPIED", 2**20)


def test_a_cpu_multiplies_and_copies(quick):
    torch = pytest.importorskip("torch")
    found = ceilings.measure(torch.device("cpu"), 64, 128, 256)
    assert {name for name, value in found.items() if value is None} == {"tf32", "host_to_device"}
    assert 1e8 < found["fp32"] < 1e14
    assert 1e8 < found["memory_bandwidth"] < 1e13


def test_a_product_that_would_take_long_is_one_of_fewer_tokens(quick, monkeypatch):
    torch = pytest.importorskip("torch")
    rows = []
    monkeypatch.setattr(torch, "mm", lambda left, right, out: rows.append(len(left)) or time.sleep(len(left) / 1000))
    monkeypatch.setattr(ceilings, "LONGEST", 0.05)
    found = ceilings._products(torch.device("cpu"), torch.float32, 100_000, 4, 4)
    assert 16 < max(rows) <= 50
    assert found == pytest.approx(2 * 4 * 4 * 1000, rel=0.3)


def test_what_does_not_fit_is_not_known(quick, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(ceilings, "COPIED", 2**60)
    assert ceilings.measure(torch.device("cpu"), 8, 8, 8)["memory_bandwidth"] is None


def test_one_process_has_no_collectives():
    torch = pytest.importorskip("torch")
    assert ceilings.collectives(torch.device("cpu")) == {"all_reduce": None, "all_gather": None}


def test_without_torch_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BenchspecError, match=r"torch is not installed, which measures: .*\[train\]"):
        ceilings.of_this_machine()
