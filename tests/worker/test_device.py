"""A rank computes on its own accelerator, or says why it cannot."""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

torch = pytest.importorskip("torch")

from benchspec.machine import nvml
from benchspec.terms.errors import BenchspecError
from benchspec.worker import device

HEARTBEAT = "TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC"


@pytest.fixture
def gpus(monkeypatch):
    """Makes the driver and torch see so many GPUs; returns what torch was told to use."""
    told = []
    # What `choose` sets is undone.
    monkeypatch.setenv(HEARTBEAT, "")
    monkeypatch.delenv(HEARTBEAT)

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


@pytest.mark.parametrize(("given", "taken"), [(None, "7200"), ("600", "600")])
def test_nccl_is_as_patient_as_benchspec_unless_the_user_says_otherwise(gpus, monkeypatch, given, taken):
    gpus(1, 1)
    if given:
        monkeypatch.setenv(HEARTBEAT, given)
    device.choose()
    assert os.environ[HEARTBEAT] == taken


def test_gpus_that_torch_does_not_see_are_a_mistake(gpus):
    gpus(2, 0)
    with pytest.raises(BenchspecError, match=r"the driver sees 2 GPUs but torch .* sees none.*install a torch built"):
        device.choose()


def test_more_processes_than_gpus_are_a_mistake(gpus, monkeypatch):
    gpus(2, 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(BenchspecError, match=r"launcher\.processes asks for 4 processes on a host with 2 GPUs"):
        device.choose()


def test_a_rank_to_which_one_gpu_is_visible_takes_it(gpus, monkeypatch):
    """As `srun --gpus-per-task=1` has it; libraries take LOCAL_RANK for the device's number."""
    told = gpus(1, 1)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert device.choose() == torch.device("cuda", 0)
    assert told == [torch.device("cuda", 0)]
    assert os.environ["LOCAL_RANK"] == "0"


def started(host="a", uuid="GPU-1", mig=False, devices=1):
    """The events of a rank that has just started."""
    found = {"event": "device", "name": "NVIDIA L4", "uuid": uuid, "memory": 1, "mig": mig}
    return [{"event": "start", "host": host}, *[found] * devices]


@pytest.mark.parametrize(
    "other",
    [
        started(uuid="GPU-2"),
        started(host="b"),
        started(devices=0),
        [],
    ],
    ids=["another GPU", "another host", "not as far", "nothing yet"],
)
def test_a_rank_has_its_own_gpu(other):
    device.check_own(0, {0: started(), 1: other})


def test_two_ranks_on_one_gpu_are_a_mistake():
    with pytest.raises(BenchspecError, match=r"ranks 0, 1 have the same GPU, GPU-1; start as many processes as GPUs"):
        device.check_own(1, {0: started(), 1: started(), 2: started(uuid="GPU-2")})


@pytest.mark.parametrize("same", [started(mig=True), started(uuid=None), started(host=None)])
def test_what_cannot_be_told_apart_is_not_refused(same):
    device.check_own(0, {0: same, 1: same})


@pytest.fixture
def properties(monkeypatch):
    """What torch says of each device."""

    def of(name="NVIDIA L4", **more):
        found = lambda one: SimpleNamespace(name=name, total_memory=24, **{"uuid": f"of-{one.index}", **more})  # noqa: E731
        monkeypatch.setattr(torch.cuda, "get_device_properties", found)

    return of


def test_a_device_is_described_as_torch_knows_it(properties):
    properties()
    assert device.described(torch.device("cuda", 1)) == {
        "name": "NVIDIA L4",
        "uuid": "GPU-of-1",
        "memory": 24,
        "mig": False,
    }
    properties(name="NVIDIA H100 80GB HBM3 MIG 1g.10gb", uuid=None)
    found = device.described(torch.device("cuda", 0))
    assert (found["uuid"], found["mig"]) == (None, True)
    properties(uuid="00000000-0000-0000-0000-000000000000")
    assert device.described(torch.device("cuda", 0))["uuid"] is None


def test_energy_is_the_own_accelerators(monkeypatch, properties):
    asked = []
    properties()
    monkeypatch.setattr(nvml, "joules", lambda uuid: asked.append(uuid) or 12.5)
    assert device.joules(torch.device("cuda", 1)) == 12.5
    assert asked == ["GPU-of-1"]
    assert device.joules(torch.device("cpu")) is None
    properties(name="NVIDIA H100 80GB HBM3 MIG 1g.10gb")
    assert device.joules(torch.device("cuda", 1)) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_memory_on_the_host_is_known_without_an_accelerator():
    peaks = device.memory_peaks()
    assert (peaks["allocated"], peaks["reserved"]) == (None, None)
    now = psutil.Process().memory_info().rss
    assert 0.9 * now < peaks["host"] < 100 * now, "bytes, whatever the system counts in"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what Linux says of a process")
def test_the_hosts_peak_is_not_that_of_an_earlier_program_of_the_process():
    told = "from benchspec.worker.device import host_peak; print(host_peak()['host'])"
    large = f"import os, sys; len(b'x' * (400 << 20)); os.execv(sys.executable, [sys.executable, '-c', {told!r}])"
    found = subprocess.run([sys.executable, "-c", large], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 300 << 20
