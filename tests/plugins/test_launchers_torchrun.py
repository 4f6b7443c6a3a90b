"""The launcher `torchrun`: a process group is started, polled, and stopped without leftover processes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time

import psutil
import pytest
from small import HEAD, mistakes

from benchspec import Facts, PluginError
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec.machine.process import MARK
from benchspec_plugins.launchers import commands, group, hosts
from benchspec_plugins.launchers.commands import Host
from benchspec_plugins.launchers.group import Group, Left


@pytest.fixture
def sleeper():
    """Starts a process in a session of its own, as torchrun's workers are; it belongs to a case."""
    started = []

    def start(case_dir, program="import time; print(flush=True); time.sleep(60)"):
        command, environment = [sys.executable, "-S", "-c", program], {**os.environ, MARK: str(case_dir)}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True))
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch):
    monkeypatch.setattr(group, "STOP_TIMEOUT", 0.2)


def gone(process):
    try:
        return psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_is_left_of_a_case_is_ended_and_no_other_process(tmp_path, sleeper):
    mine, others = sleeper(tmp_path / "a case"), sleeper(tmp_path / "a case of others")
    left = Left(str(tmp_path / "a case"))
    assert left.poll() == -1
    left.stop()
    assert gone(mine)
    assert not gone(others)


@pytest.mark.parametrize("id", ["", "1", f"{os.getpid()} 1.0 /tmp"], ids=["empty", "a number", "as once"])
def test_an_id_that_is_none_ends_no_process(id):
    Left(id).stop()


def test_a_supervisor_that_is_killed_or_does_not_answer_leaves_none_either(tmp_path, sleeper):
    deaf = sleeper(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)",
    )
    Group(deaf, tmp_path).stop()
    assert gone(deaf)


def test_threads_are_divided_among_processes_unless_the_user_sets_them(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert commands.environment(tmp_path, Host(2))["OMP_NUM_THREADS"] == "4"
    assert commands.environment(tmp_path, Host(16))["OMP_NUM_THREADS"] == "1"
    # A container may have a part of a core.
    monkeypatch.setattr(commands, "usable_cores", lambda: 8.5)
    assert commands.environment(tmp_path, Host(2))["OMP_NUM_THREADS"] == "4"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert commands.environment(tmp_path, Host(2))["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert commands.environment(tmp_path, Host(2))["OMP_NUM_THREADS"] == "4"


def test_variables_that_set_torchruns_options_do_not_reach_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PET_NNODES", "2")
    assert "PET_NNODES" not in commands.environment(tmp_path, Host(1))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], []),
        (["0 -9"], [(0, -9)]),
        # A victim's exit comes after that of the rank that it has lost.
        (["1 0", "0 1"], [(1, 0), (0, 1)]),
        # A rank that torchrun ended with SIGTERM explains nothing, unless it was the first.
        (["1 3", "0 -15", "2 -6"], [(1, 3), (2, -6)]),
        (["1 -15", "0 1"], [(1, -15), (0, 1)]),
        # How those ended that the supervisor killed says nothing.
        (["stopped", "0 -9", "1 -9"], []),
        (["2 3", "stopped", "0 -9"], [(2, 3)]),
        (["1 3", "0 "], [(1, 3)]),
        (["", "1", "x y", "0 3"], [(0, 3)]),
    ],
)
def test_the_first_rank_to_end_comes_first(tmp_path, lines, found):
    (tmp_path / "exits").write_text("".join(f"{line}\n" for line in lines))
    assert list(group.deaths(tmp_path).items()) == found


def test_a_group_of_which_no_rank_ended_has_no_deaths(tmp_path):
    assert group.deaths(tmp_path) == {}


def made(**options):
    registry = Registry.load()
    return registry.create("launcher", completed(registry, "launcher", {"name": "torchrun", **options}))


@pytest.mark.parametrize(
    ("options", "hosts", "processes"),
    [
        ({}, 1, 8),
        ({"nodes": 2}, 2, 16),
        ({"hosts": ["b", "user@c"]}, 3, 24),
        ({"hosts": ["b"], "nodes": 2, "processes": 4}, 2, 4),
    ],
)
def test_processes_are_those_of_all_hosts(options, hosts, processes):
    found = made(**options)
    assert found.hosts() == hosts
    assert found.settle(Facts(accelerator="GPU", accelerators=8), None)["processes"] == processes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hosts": ["b"], "nodes": 4}, "has 1 other hosts, which are not 4 nodes"),
        ({"nodes": 2, "processes": 3}, "cannot spread 3 processes evenly over 2 hosts"),
    ],
)
def test_hosts_that_contradict_the_processes_are_refused(options, said):
    with pytest.raises(PluginError, match=said):
        made(**options)


def test_a_host_is_no_option_of_ssh(write):
    (line,) = mistakes(write(f"{HEAD}    launcher: {{name: torchrun, hosts: [-oProxyCommand=reboot]}}\n"))
    assert "launcher.hosts[0]" in line


def test_ssh_is_needed_to_start_other_hosts(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert made(hosts=["b"]).missing(online=False) == [
        "ssh is not installed, which starts the processes on other hosts"
    ]
    assert made(nodes=2).missing(online=False) == []


def test_the_command_for_another_host_has_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HOME", "/shared/hub")
    place = Host(4, nodes=2, node=1, address="10.0.0.1", port=29500, interface="ib0")
    command = hosts.command_for(tmp_path / "a case", place)
    assert "secret" not in command
    words = shlex.split(command)
    assert {"HF_HOME=/shared/hub", "BENCHSPEC_NODE=1", "NCCL_SOCKET_IFNAME=ib0", "--node-rank=1"} <= set(words)
    assert str(tmp_path / "a case") in words


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([], ["1 3", "stopped"], [(1, 3)]),
        (["0 1", "stopped"], ["1 -15", "stopped"], [(0, 1)]),
        (["0 0", "stopped"], ["1 0", "stopped"], [(0, 0), (1, 0)]),
    ],
)
def test_ranks_that_ended_on_another_host_are_told_too(tmp_path, first, second, found):
    for name, lines in (("exits", first), ("exits-1", second)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    assert list(group.deaths(tmp_path).items()) == found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the guarantees about processes are Linux's")
def test_torchrun_starts_the_ranks_and_puts_its_files_into_the_case(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    temporary, folder = tmp_path / "tmp", tmp_path / "case"
    temporary.mkdir()
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    (folder / "case.json").write_text("no case")
    started = group.start(folder, Host(1))
    while started.poll() is None:
        time.sleep(0.1)
    started.stop()
    assert started.poll() == 1
    assert "JSONDecodeError" in (folder / "stderr.log").read_text()
    assert '"world":1' in (folder / "rank-0.jsonl").read_text()
    assert group.deaths(folder) == {0: 1}
    assert not list(temporary.iterdir())
