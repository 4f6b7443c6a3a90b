"""A rank computes on its own accelerator, or says why it cannot."""

from types import SimpleNamespace

import psutil
import pytest

torch = pytest.importorskip("torch")

from benchspec.machine import nvml
from benchspec.terms.errors import BenchspecError
from benchspec.worker import device


@pytest.fixture
def gpus(monkeypatch):
    """Makes the driver and torch see so many GPUs; returns what torch was told to use."""
    told = []

    def seeing(driver, torchs):
        monkeypatch.setattr(nvml, "accelerators", lambda: [object()] * driver)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: torchs > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: torchs)
        monkeypatch.setattr(torch.cuda, "set_device", told.append)
        return told

    return seeing


def test_without_accelerators_it_is_the_cpu(gpus):
    told = gpus(0, 0)
    assert device.choose() == torch.device("cpu")
    assert told == []


def test_each_local_rank_takes_its_own(gpus, monkeypatch):
    told = gpus(8, 8)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert device.choose() == torch.device("cuda", 3)
    assert told == [torch.device("cuda", 3)]


def test_gpus_that_torch_does_not_see_are_a_mistake(gpus):
    gpus(2, 0)
    with pytest.raises(BenchspecError, match=r"the driver sees 2 GPUs but torch .* sees none.*install a torch built"):
        device.choose()


def test_more_processes_than_gpus_are_a_mistake(gpus, monkeypatch):
    gpus(2, 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(BenchspecError, match=r"launcher\.processes asks for 4 processes on a host with 2 GPUs"):
        device.choose()


def test_energy_is_the_own_accelerators(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda one: SimpleNamespace(uuid=f"of-{one.index}"))
    monkeypatch.setattr(nvml, "joules", lambda uuid: asked.append(uuid) or 12.5)
    assert device.joules(torch.device("cuda", 1)) == 12.5
    assert asked == ["GPU-of-1"]
    assert device.joules(torch.device("cpu")) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_memory_on_the_host_is_known_without_an_accelerator():
    peaks = device.memory_peaks()
    assert (peaks["allocated"], peaks["reserved"]) == (None, None)
    now = psutil.Process().memory_info().rss
    assert 0.9 * now < peaks["host"] < 100 * now, "bytes, whatever the system counts in"
