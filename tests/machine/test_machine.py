"""What this machine is. The tests run on machines without a GPU, where a fake NVML answers in its place."""

# ruff: noqa: N802, N803 - NVML's names
from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace

import psutil
import pynvml
import pytest

from benchspec.machine import cgroups, missing
from benchspec.machine import describe as machine
from benchspec.machine import text as machine_text
from benchspec.machine.nvml import Accelerator, accelerators, nvidia

H100 = {"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-1", "memory": 85_520_809_984, "milliwatts": 700_000, "mig": 0}
SLICE = {"name": "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "uuid": "MIG-1", "memory": 10_200_547_328}
SWITCH = b"00000000:FF:00.0"


class FakeNvml:
    """NVML as it looks to `pynvml`: GPUs are dicts; an answer that a dict lacks is "not supported"."""

    def __init__(self, gpus, slices=(), nvlink=True, refuses=()):
        self.gpus = [{"bus": f"00000000:{number:02X}:00.0".encode(), **gpu} for number, gpu in enumerate(gpus)]
        self.slices, self.nvlink, self.refuses = slices, nvlink, refuses
        #: how often it was started and not ended
        self.open = 0

    def module(self):
        """A copy of `pynvml` in which every public method here stands in for the function of the same name."""
        fake = ModuleType("pynvml")
        fake.__dict__.update(vars(pynvml))
        for name, method in inspect.getmembers(self, inspect.ismethod):
            if name.startswith("nvml"):
                assert list(inspect.signature(method).parameters) == list(
                    inspect.signature(getattr(pynvml, name)).parameters
                )
                setattr(fake, name, method)
        return fake

    def nvmlInit(self):
        if "nvmlInit" in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        if index in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        found = [gpu for gpu in self.slices if gpu["uuid"] == uuid]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found[0]

    def nvmlDeviceGetName(self, handle):
        return self._answer(handle, "name")

    def nvmlDeviceGetUUID(self, handle):
        return self._answer(handle, "uuid")

    def nvmlDeviceGetMemoryInfo(self, handle, version=None):
        return SimpleNamespace(total=self._answer(handle, "memory"))

    def nvmlDeviceGetPowerManagementLimit(self, handle):
        return self._answer(handle, "milliwatts")

    def nvmlDeviceGetMigMode(self, device):
        return [self._answer(device, "mig"), 0]

    def nvmlSystemGetDriverVersion(self):
        return "535.104.05"

    def nvmlSystemGetCudaDriverVersion(self):
        return 12020

    def nvmlDeviceGetPciInfo(self, handle):
        return SimpleNamespace(busId=handle["bus"])

    def nvmlDeviceGetNvLinkState(self, device, link):
        if not self.nvlink or link >= len(self._ends(device)):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 1

    def nvmlDeviceGetNvLinkRemotePciInfo(self, device, link):
        return SimpleNamespace(busId=self._ends(device)[link])

    def nvmlDeviceGetP2PStatus(self, device1, device2, p2pIndex):
        assert p2pIndex == pynvml.NVML_P2P_CAPS_INDEX_NVLINK
        return pynvml.NVML_P2P_STATUS_OK if self.nvlink else pynvml.NVML_P2P_STATUS_NOT_SUPPORTED

    def nvmlDeviceGetTopologyCommonAncestor(self, device1, device2):
        return pynvml.NVML_TOPOLOGY_SYSTEM

    def _ends(self, gpu):
        return gpu.get("ends", [SWITCH] * 18)

    def _answer(self, gpu, key):
        if key not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return gpu[key]


@pytest.fixture(autouse=True)
def all_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def nvml(monkeypatch):
    """Put a `FakeNvml` of these GPUs in NVML's place; each gets a UUID of its own."""

    def install(*gpus, **options):
        fake = FakeNvml([{**gpu, "uuid": f"GPU-{number}00"} for number, gpu in zip(count(1), gpus)], **options)
        monkeypatch.setitem(sys.modules, "pynvml", fake.module())
        return fake

    return install


def facts(**changes):
    """A described server: 8 × H100, everything installed."""
    gpu = {"name": H100["name"], "uuid": None, "memory": H100["memory"], "power_limit": 700.0, "mig": False}
    server = {
        "accelerators": [gpu] * 8,
        "links": [["X" if row == column else "NV18" for column in range(8)] for row in range(8)],
        "driver": "570.86.15",
        "driver_cuda": "12.8",
        "cpu": {
            "model": "Intel(R) Xeon(R) Platinum 8470 CPU @ 2.00GHz",
            "sockets": 2,
            "cores": 104,
            "threads": 208,
            "usable": 208,
        },
        "memory": 2**41,
        "shared_memory": 2**40,
        "os": "Ubuntu 22.04.3 LTS",
        "kernel": "Linux 5.15.0-91-generic",
        "python": "3.11.7",
        "libraries": {
            **dict.fromkeys(machine.LIBRARIES, "1.0"),
            "benchspec": "0.1.0",
            "torch": "2.13.0+cu128",
            "transformers": "5.23.0",
            "deepspeed": "0.19.8",
        },
        "torch": {"cuda": "12.8", "cudnn": "9.10.2", "nccl": "2.27.7", "accelerators": 8},
        "commit": {"id": "a1b2c3d" + "0" * 33, "dirty": False},
    }
    return {**server, **changes}


def without(*names):
    return {name: None if name in names else found for name, found in facts()["libraries"].items()}


def test_an_accelerator_is_named_with_its_memory_and_power_limit(nvml):
    fake = nvml(H100)
    assert accelerators() == [
        Accelerator(name="NVIDIA H100 80GB HBM3", uuid="GPU-100", memory=85_520_809_984, power_limit=700.0, mig=False)
    ]
    assert fake.open == 0


def test_names_may_be_bytes(nvml):
    nvml({**H100, "name": b"NVIDIA L4"})
    assert [gpu.name for gpu in accelerators()] == ["NVIDIA L4"]


def test_figures_that_nvml_does_not_say_are_none(nvml):
    fake = nvml({"name": "NVIDIA A10"})
    (gpu,) = accelerators()
    assert (gpu.memory, gpu.power_limit, gpu.mig) == (None, None, False)
    assert fake.open == 0


def test_nvml_is_ended_after_an_error(nvml):
    fake = nvml({**H100, "memory": "no number"})
    with pytest.raises(ValueError, match="no number"):
        accelerators()
    assert fake.open == 0


def test_no_gpu_no_driver_and_no_permission_are_no_accelerators(nvml):
    nvml()
    assert accelerators() == []
    fake = nvml(H100, refuses=["nvmlInit"])
    assert accelerators() == []
    assert fake.open == 0


def test_gpus_without_permission_do_not_count(nvml, monkeypatch):
    nvml(H100, H100, H100, refuses=[0])
    assert [gpu.uuid for gpu in accelerators()] == ["GPU-200", "GPU-300"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [gpu.uuid for gpu in accelerators()] == ["GPU-200"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", ["GPU-300", "GPU-100"]),
        ("GPU-2", ["GPU-200"]),
        ("", []),
        ("-1", []),
        ("1,-1,0", ["GPU-200"]),
        ("0,7,1", ["GPU-100"]),
        ("NoDevFiles", []),
        ("MIG-1", ["MIG-1"]),
        ("MIG-2", []),
    ],
)
def test_cuda_visible_devices_is_respected(nvml, monkeypatch, visible, expected):
    nvml(H100, H100, H100, slices=[SLICE])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.uuid for gpu in accelerators()] == expected


def test_mig_is_noted(nvml, monkeypatch):
    nvml({**H100, "mig": 1}, slices=[SLICE])
    (whole,) = accelerators()
    assert whole.mig
    assert whole.memory is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    (part,) = accelerators()
    assert part.mig
    assert part.memory == 10_200_547_328


def test_links_through_switches_count_every_link(nvml):
    nvml(H100, H100)
    assert nvidia()["links"] == [["X", "NV18"], ["NV18", "X"]]


def test_links_between_two_gpus_count_those_that_end_at_the_other(nvml):
    first, second, third = (f"00000000:{number:02X}:00.0".encode() for number in range(3))
    nvml(
        {**H100, "ends": [second] * 4 + [third] * 2},
        {**H100, "ends": [first] * 4 + [third] * 2},
        {**H100, "ends": [first] * 2 + [second] * 2},
    )
    assert nvidia()["links"] == [["X", "NV4", "NV2"], ["NV4", "X", "NV2"], ["NV2", "NV2", "X"]]


def test_without_nvlink_the_way_through_pcie_is_said(nvml):
    nvml(H100, H100, nvlink=False)
    found = nvidia()
    assert found["links"] == [["X", "SYS"], ["SYS", "X"]]
    assert (found["driver"], found["driver_cuda"]) == ("535.104.05", "12.2")


def test_this_machine_is_described_in_json():
    found = json.loads(json.dumps(machine.describe()))
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["memory"] == psutil.virtual_memory().total
    assert 0 < found["cpu"]["usable"] <= found["cpu"]["threads"]
    assert re.fullmatch(r"\d+\.\d+.*", found["libraries"]["benchspec"])
    assert (found["torch"] is None) == (found["libraries"]["torch"] is None)
    assert machine_text.line(found)
    assert machine_text.report(found, missing.missing(found))


def test_a_description_tells_neither_host_name_nor_environment(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_a_secret")
    monkeypatch.setattr("platform.node", lambda: "node-0815")
    monkeypatch.setattr(machine, "torch_facts", lambda: {})
    found = machine.describe()
    assert not {"node", "host", "hostname", "environment"} & set(found)
    assert "hf_a_secret" not in json.dumps(found)
    assert "node-0815" not in json.dumps(found)


def test_importing_it_brings_nothing_heavy():
    code = "import sys, benchspec.machine.describe; print({'torch', 'numpy', 'pynvml', 'psutil', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_torch_that_does_not_start_is_reported(monkeypatch):
    monkeypatch.setattr(machine, "_TORCH_PROBE", "raise OSError('libcudart.so.13: cannot open shared object file')")
    assert machine.torch_facts() == {"error": "OSError: libcudart.so.13: cannot open shared object file"}
    monkeypatch.setattr(machine, "_TORCH_PROBE", "import os; os._exit(7)")
    assert machine.torch_facts() == {"error": "it ended with exit code 7"}


def test_torch_may_chatter_before_it_answers(monkeypatch):
    monkeypatch.setattr(machine, "_TORCH_PROBE", "print('a notice'); print('{\"accelerators\": 0}')")
    assert machine.torch_facts() == {"accelerators": 0}


def test_models_and_sockets_of_processors():
    text = "".join(f"processor\t: {n}\nmodel name\t: AMD EPYC 9654\nphysical id\t: {n % 2}\n\n" for n in range(4))
    assert machine._cpuinfo(text) == {"model": "AMD EPYC 9654", "sockets": 2}
    assert machine._cpuinfo("processor\t: 0\nCPU implementer\t: 0x41\n")["sockets"] is None


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "800000 100000"}, 4),
        ("4:cpu,cpuacct:/job", {"cpu/job/cpu.cfs_quota_us": "200000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 2),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("4:cpuset:/", {"cpu.max": "100000 100000"}, None),
    ],
)
def test_the_cpu_quota_is_the_tightest_around(tmp_path, membership, files, quota):
    own, mount = tmp_path / "cgroup", tmp_path / "mount"
    own.write_text(membership + "\n")
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    assert cgroups.cpu_quota(own, mount) == quota


def test_no_control_groups_mean_no_quota(tmp_path):
    assert cgroups.cpu_quota(tmp_path / "none", tmp_path) is None


def git(folder: Path, *arguments: str) -> str:
    # A hook or a rebase that runs the tests would point git at its own repository.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, env=clean, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "tag", "-a", "v1", "-m", "a tag does not replace the commit")
    assert machine._commit(tmp_path) == {"id": commit, "dirty": False}
    (tmp_path / "file").write_text("two")
    assert machine._commit(tmp_path) == {"id": commit, "dirty": True}


def test_an_installation_inside_another_repository_has_no_commit(tmp_path):
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "somebody else's")
    (tmp_path / "site-packages").mkdir()
    assert machine._commit(tmp_path) is not None
    assert machine._commit(tmp_path / "site-packages") is None


def test_a_repository_without_commits_has_no_commit(tmp_path):
    git(tmp_path, "init")
    assert machine._commit(tmp_path) is None


def test_nothing_is_missing_on_a_complete_server():
    assert missing.missing(facts()) == []
    assert machine_text.report(facts(), []).endswith("nothing is missing to run\n")


def test_missing_libraries_name_the_extra_to_install():
    found = facts(libraries=without("torch", "transformers", "accelerate", "deepspeed"), torch=None)
    assert missing.missing(found) == [
        "torch, transformers, accelerate are not installed: pip install 'benchspec[train]'",
        "deepspeed is not installed (only the backend 'deepspeed' needs it): pip install 'benchspec[deepspeed]'",
    ]
    assert machine_text.report(found, missing.missing(found)).rstrip().endswith("pip install 'benchspec[deepspeed]'")


def test_only_what_stops_every_run_is_a_blocker():
    found = facts(libraries=without("accelerate", "deepspeed"), shared_memory=64 * 2**20)
    assert missing.blockers(found) == ["accelerate is not installed: pip install 'benchspec[train]'"]
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
    assert "built for CUDA 13.0 and driver 535.104.05 serves CUDA up to 12.2" in line
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
    assert "name a MIG slice" in line


def test_a_broken_torch_is_refused_with_its_error():
    (line,) = missing.blockers(facts(torch={"error": "OSError: libcudart.so.13"}))
    assert line == "torch 2.13.0+cu128 is installed, but cannot be imported: OSError: libcudart.so.13"


def test_little_shared_memory_matters_between_gpus_only():
    (line,) = missing.missing(facts(shared_memory=64 * 2**20))
    assert line.startswith("/dev/shm holds 64 MiB, too little for NCCL between 8 GPUs: ")
    alone = facts(shared_memory=64 * 2**20, accelerators=facts()["accelerators"][:1], links=[])
    assert missing.missing(alone) == []


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
def test_the_line_says_how_gpus_are_joined(links, said):
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
