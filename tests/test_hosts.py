"""A case on two hosts: two network namespaces that a pair of virtual cards joins, where ssh is a way into the second."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import BENCHSPEC

pytest.importorskip("torch")
pytest.importorskip("deepspeed")
IP = shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(IP is None, reason="not installed: ip (apt-get install iproute2)"),
    pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="namespaces need root"),
]
SPEC = """
benchspec: 1
name: hosts
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 24}
  launcher: {name: torchrun, processes: 2, hosts: [second], address: 10.99.0.1, interface: card}
  train: {precision: fp32, max_length: 1024, max_steps: STEPS, epochs: 50, gradient_accumulation: 1, batch_size: 1}
experiments:
  across:
    matrix: {backend: [fsdp, {name: deepspeed, stage: 3}]}
"""


def ip(*arguments):
    done = subprocess.run([IP, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """The names of two namespaces, and a folder with an `ssh` that leads into the second."""
    first, second = (f"benchspec-{os.getpid()}-{number}" for number in (1, 2))
    folder = tmp_path_factory.mktemp("bin")
    try:
        for name in (first, second):
            ip("netns", "add", name)
        ip("link", "add", "card", "netns", first, "type", "veth", "peer", "name", "card", "netns", second)
        for number, name in ((1, first), (2, second)):
            ip("-n", name, "addr", "add", f"10.99.0.{number}/24", "dev", "card")
            for card in ("card", "lo"):
                ip("-n", name, "link", "set", card, "up")
        # As ssh does, it ends when the command ends, and passes its standard input on.
        (folder / "ssh").write_text(
            "#!/bin/sh\nwhile [ $1 != -- ]; do shift; done\n"
            f'[ "$2" = second ] || {{ echo "ssh: no such host $2" >&2; exit 255; }}\n'
            f'exec {IP} netns exec {second} sh -c "$3"\n'
        )
        (folder / "ssh").chmod(0o755)
        yield first, second, folder
    finally:
        for name in (first, second):
            subprocess.run([IP, "netns", "del", name], capture_output=True, check=False)


def started(hosts, folder, *arguments, steps=2):
    """`benchspec run` on the first host."""
    first, _, programs = hosts
    (folder / "hosts.yaml").write_text(SPEC.replace("STEPS", str(steps)))
    return subprocess.Popen(
        [IP, "netns", "exec", first, *BENCHSPEC, "run", "hosts.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def journal(folder):
    return [json.loads(line) for line in (folder / "runs/hosts/results.jsonl").read_text().splitlines()]


def of_the_case(folder):
    """Processes of a case that live, on either host."""

    def belongs(process):
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get("BENCHSPEC_CASE_DIR", "").startswith(str(folder))
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if belongs(process)]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_fsdp_and_zero_3_train_across_two_hosts(hosts, tmp_path):
    running = started(hosts, tmp_path)
    _, errors = running.communicate(timeout=240)
    assert running.returncode == 0, errors
    for line in journal(tmp_path):
        assert (line["outcome"], line["record"]["processes"], line["proof"]["parameters_changed"] > 0) == (
            "ok",
            2,
            True,
        )
    # Each host ran one rank, in a file of its own exits.
    (case,) = tmp_path.glob("runs/hosts/cases/across/opt-tiny-fsdp-*/1")
    assert (case / "exits").read_text().startswith("0 0")
    assert (case / "exits-1").read_text().startswith("1 0")
    assert not of_the_case(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the guarantees about processes are Linux's")
def test_when_benchspec_is_killed_nothing_is_left_on_either_host(hosts, tmp_path):
    running = started(hosts, tmp_path, "--only", "fsdp", steps=400)
    until(lambda: list(tmp_path.glob("runs/hosts/cases/*/*/1/rank-1.jsonl")))
    assert len(of_the_case(tmp_path)) > 4
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=30)
    until(lambda: not of_the_case(tmp_path), 30)


def test_a_printed_command_is_waited_for_longer_than_the_time_limit(hosts, tmp_path):
    _, second, _ = hosts
    by_hand = ("--set=defaults.launcher.hosts=null", "--set=defaults.launcher.nodes=2")
    running = started(hosts, tmp_path, "--only", "fsdp", *by_hand, "--set=defaults.limits.timeout=25 s")
    printed = next(line for line in running.stderr if line.startswith("  cd "))
    time.sleep(30)
    with subprocess.Popen([IP, "netns", "exec", second, "sh", "-c", printed.strip()], stdin=subprocess.PIPE) as other:
        _, errors = running.communicate(timeout=120)
        other.stdin.close()
    assert running.returncode == 0, errors
    (line,) = journal(tmp_path)
    assert (line["outcome"], line["record"]["processes"]) == ("ok", 2)
    assert line["metrics"]["wall_time"] < 30


def test_a_host_that_cannot_be_reached_is_a_crash_with_the_words_of_ssh(hosts, tmp_path):
    set_host = "--set=defaults.launcher.hosts=[third]"
    running = started(hosts, tmp_path, "--only", "fsdp", set_host)
    running.communicate(timeout=120)
    assert running.returncode == 1
    (line,) = journal(tmp_path)
    assert line["outcome"] == "crash"
    assert "ssh: no such host third" in line["reason"]
