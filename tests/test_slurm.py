"""Cases as jobs of a real Slurm, which these tests start by hand: its daemons must be installed, and root runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import benchspec, start

pytest.importorskip("torch")
pytest.importorskip("submitit")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
ABSENT = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(
        bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)} (apt-get install slurmctld slurmd munge)"
    ),
    pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="Slurm's daemons need root"),
]
SPEC = """
benchspec: 1
name: jobs
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 24}
  launcher: {name: slurm, processes: 2, partition: small}
  train: {precision: fp32, max_length: 1024, max_steps: STEPS, epochs: 50, gradient_accumulation: 1, batch_size: 1}
experiments:
  two:
    matrix: {train.seed: [1, 2]}
"""
#: a cluster of two nodes, both of which are this machine
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=26817
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
AccountingStorageType=accounting_storage/none
KillWait=2
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port=26818 CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port=26819 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=small Nodes=one Default=YES MaxTime=60 State=UP
PartitionName=large Nodes=one,two MaxTime=60 State=UP
PartitionName=urgent Nodes=one MaxTime=60 State=UP PriorityTier=10
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment in which commands talk to a Slurm that runs for these tests."""
    folder, env = tmp_path_factory.mktemp("slurm"), dict(os.environ)
    for name in ("ctld", "one", "two"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONF.format(host=host, folder=folder))
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o400)
    env |= {"PATH": f"{env['PATH']}:/usr/sbin", "SLURM_CONF": str(folder / "slurm.conf")}
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/key"]
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    commands = [[*munged, *files], ["slurmctld", "-D", "-i"]]
    commands += [["slurmd", "-D", "-N", node] for node in ("one", "two")]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{len(daemons)}.out").open("wb") as out:
                daemons.append(subprocess.Popen(command, env=env, stdout=out, stderr=out))
            time.sleep(1)
        end = time.monotonic() + 30
        while _asked(env, "sinfo", "--noheader", "--partition=large", "--format=%t %D").split() != ["idle", "2"]:
            assert time.monotonic() < end, [file.read_text() for file in folder.glob("*.out")]
            time.sleep(0.5)
        yield {"SLURM_CONF": env["SLURM_CONF"]}
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def _asked(env, *command):
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout


def write(folder, steps):
    (folder / "jobs.yaml").write_text(SPEC.replace("STEPS", str(steps)))
    return folder / "runs/jobs"


def journal(run):
    file = run / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def queue(cluster):
    return _asked({**os.environ, **cluster}, "squeue", "--noheader", "--format=%i %t").splitlines()


def test_jobs_go_on_without_the_login_shell_and_the_next_run_follows_them(cluster, tmp_path):
    run = write(tmp_path, steps=3)
    first = start("run", "jobs.yaml", cwd=tmp_path, env=cluster)
    until(lambda: list(run.glob("cases/*/*/1/rank-1.jsonl")))
    # Both cases are in the queue, though there is room for one.
    assert len(queue(cluster)) == 2
    first.send_signal(signal.SIGHUP)
    assert first.wait(30) == 130
    assert len(queue(cluster)) == 2
    done = benchspec("run", "jobs.yaml", cwd=tmp_path, env=cluster)
    assert done.returncode == 0, done.stderr
    lines = journal(run)
    assert [(line["outcome"], line["attempt"]) for line in lines] == [("ok", "1")] * 2
    for line in lines:
        # The second one waited in the queue while the first one ran.
        assert line["metrics"]["wall_time"] < 1.7 * lines[0]["metrics"]["wall_time"]
        assert line["record"]["machine"]["cpu"]
        assert line["record"]["processes"] == 2
    assert json.loads((run / "run.json").read_text())["machine"]["cpu"]


def test_jobs_that_are_interrupted_are_cancelled_and_one_that_another_cancels_is_a_crash(cluster, tmp_path):
    run = write(tmp_path, steps=400)
    first = start("run", "jobs.yaml", "--only", "seed-1", cwd=tmp_path, env=cluster)
    number, _ = until(lambda: list(run.glob("cases/*/*/1/rank-1.jsonl")) and queue(cluster))[0].split()
    subprocess.run(["scancel", number], env={**os.environ, **cluster}, check=True)
    assert first.wait(60) == 1
    (line,) = journal(run)
    assert (line["outcome"], line["reason"]) == ("crash", "the job was cancelled (Slurm: CANCELLED)")
    second = start("run", "jobs.yaml", cwd=tmp_path, env=cluster)
    until(lambda: len(queue(cluster)) == 2 and list(run.glob("cases/*/*/2/rank-1.jsonl")))
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    assert queue(cluster) == []
    assert len(journal(run)) == 1


def test_two_nodes_train_together(cluster, tmp_path):
    run = write(tmp_path, steps=3)
    launcher = "{name: slurm, processes: 2, nodes: 2, partition: large}"
    options = [f"--set=defaults.launcher={launcher}", "--set=defaults.backend=fsdp", "--only", "seed-1"]
    done = benchspec("run", "jobs.yaml", *options, cwd=tmp_path, env=cluster)
    assert done.returncode == 0, done.stderr
    (line,) = journal(run)
    assert (line["outcome"], line["record"]["processes"]) == ("ok", 2)
    assert line["proof"]["sharding"] == "fsdp2"


def end(job, cluster):
    subprocess.run(["scontrol", "update", f"jobid={job}", "timelimit=1"], env={**os.environ, **cluster}, check=True)


def preempt(job, cluster):
    urgent = ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true"]
    subprocess.run(urgent, env={**os.environ, **cluster}, check=True)


def fail_node(job, cluster):
    down = ["scontrol", "update", "nodename=one", "state=down", "reason=test"]
    subprocess.run(down, env={**os.environ, **cluster}, check=True)


@pytest.mark.parametrize(
    ("happens", "outcome", "reason"),
    [
        (end, "timeout", "the job was not finished after its time limit (Slurm: TIMEOUT)"),
        (preempt, "crash", "another job took the nodes (Slurm: PREEMPTED)"),
        (fail_node, "crash", "a node of the job failed (Slurm: NODE_FAIL)"),
    ],
)
def test_how_slurm_ends_a_job_is_its_outcome(cluster, tmp_path, happens, outcome, reason):
    run = write(tmp_path, steps=10_000)
    # Training goes on for as long as Slurm lets it.
    options = ["--only", "seed-1", "--set=defaults.train.epochs=1000"]
    started = start("run", "jobs.yaml", *options, cwd=tmp_path, env=cluster)
    try:
        number, _ = until(lambda: list(run.glob("cases/*/*/1/rank-1.jsonl")) and queue(cluster))[0].split()
        happens(number, cluster)
        assert started.wait(150) == 1
    finally:
        up = ["scontrol", "update", "nodename=one", "state=resume"]
        subprocess.run(up, env={**os.environ, **cluster}, check=False)
    (line,) = journal(run)
    assert (line["outcome"], line["reason"]) == (outcome, reason)


def test_a_job_that_needs_more_memory_than_it_asked_for_ran_out_of_it(cluster, tmp_path):
    run = write(tmp_path, steps=3)
    little = ["--set=defaults.launcher.sbatch={mem: 200M}", "--only", "seed-1"]
    done = benchspec("run", "jobs.yaml", *little, cwd=tmp_path, env=cluster)
    assert done.returncode == 1, done.stderr
    (line,) = journal(run)
    assert (line["outcome"], line["reason"]) == (
        "host-oom",
        "the job used up the memory that it had asked for (Slurm: exceeded memory limit)",
    )


def test_a_partition_that_does_not_exist_is_refused_before_anything_starts(cluster, tmp_path):
    run = write(tmp_path, steps=2)
    done = benchspec("run", "jobs.yaml", "--set=defaults.launcher.partition=huge", cwd=tmp_path, env=cluster)
    assert done.returncode == 2
    assert "launcher: Slurm has no partition 'huge' (there are: small, large, urgent)" in done.stderr
    assert not journal(run)


def test_what_sbatch_refuses_is_told_in_its_words(cluster, tmp_path):
    run = write(tmp_path, steps=2)
    nowhere = ["--set=defaults.launcher.sbatch={nodelist: nowhere}", "--only", "seed-1"]
    done = benchspec("run", "jobs.yaml", *nowhere, cwd=tmp_path, env=cluster)
    assert done.returncode == 2
    (line,) = journal(run)
    assert "sbatch refuses the job: " in line["reason"]
    assert Path(run / "run.json").is_file()
