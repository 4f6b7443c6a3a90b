"""The launcher `slurm`, without a Slurm: its options, and what it makes of Slurm's words."""

import pytest
from small import HEAD, mistakes

from benchspec import End, Facts, PluginError
from benchspec.kinds.options import completed
from benchspec.kinds.registry import Registry
from benchspec_plugins.launchers import slurm_job
from benchspec_plugins.launchers.slurm import Slurm

CPU = Facts(accelerator=None, accelerators=0)


def launcher(**options):
    registry = Registry.load()
    return registry.create("launcher", completed(registry, "launcher", {"name": "slurm", **options}))


@pytest.mark.parametrize(
    ("options", "only", "processes"),
    [
        ({}, None, 1),
        ({"gpus_per_node": 8, "nodes": 2}, None, 16),
        ({"gpus_per_node": 8}, 1, 1),
        ({"nodes": 2}, None, 2),
        ({"processes": 6, "nodes": 2}, None, 6),
    ],
)
def test_auto_is_a_process_for_each_gpu_that_is_asked_for(options, only, processes):
    found = launcher(**options)
    assert Slurm({**found.options, **found.settle(CPU, only)}).processes() == processes


def test_processes_are_spread_evenly_over_nodes():
    with pytest.raises(PluginError, match="cannot spread 5 processes evenly over 2 nodes"):
        launcher(processes=5, nodes=2)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("partition: a b", "partition"),
        ("partition: $(reboot)", "partition"),
        ("sbatch: {wrap: reboot}", "unknown key 'wrap'"),
        ("sbatch: {qos: 'x\\n#SBATCH --wrap=y'}", "qos"),
        ("interface: -x", "interface"),
        ("partition: --wrap=id", "partition"),
        ('partition: "a\\n"', "partition"),
        ("time: 0", "time"),
    ],
)
def test_an_option_is_one_word_and_runs_nothing(write, option, said):
    text = f"{HEAD}    launcher: {{name: slurm, {option}}}\n"
    assert any(said in line for line in mistakes(write(text)))


def test_the_parameters_of_a_job(monkeypatch):
    options = launcher(processes=16, nodes=2, gpus_per_node=8, time="90 min", sbatch={"qos": "high"}).options
    found = slurm_job._parameters("benchspec-x", options)
    assert (found["nodes"], found["ntasks_per_node"], found["gpus_per_node"], found["time"]) == (2, 1, 8, 90)
    assert found["exclusive"] is True
    assert found["additional_parameters"] == {"signal": "CONT@1", "no-requeue": True, "qos": "high", "mem": 0}
    assert "--kill-on-bad-exit=1" in found["srun_args"]


def test_a_spec_may_say_how_much_memory_and_how_many_cores_a_job_has():
    found = slurm_job._parameters("x", launcher(processes=1, sbatch={"mem": "8G", "cpus-per-task": 4}).options)
    assert found["additional_parameters"]["mem"] == "8G"
    assert "--cpus-per-task=4" in found["srun_args"]


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("COMPLETED", None),
        ("FAILED", None),
        ("TIMEOUT", "timeout"),
        ("OUT_OF_MEMORY", "host-oom"),
        ("NODE_FAIL", "crash"),
        ("PREEMPTED", "crash"),
        ("CANCELLED", "crash"),
    ],
)
def test_the_state_in_which_a_job_ended_is_an_outcome(tmp_path, state, end):
    assert slurm_job.end(tmp_path) is None
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/state").write_text(state)
    found = slurm_job.end(tmp_path)
    assert found is None if end is None else isinstance(found, End) and found.outcome == end and state in found.reason


def test_without_slurm_the_programs_that_are_missing_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    (line,) = launcher().missing(online=False)
    assert line == "sbatch, scontrol, scancel, sinfo not found: this machine has no Slurm; run where jobs are submitted"


SHOWN = "JobId=7 JobName=x UserId=root(0) JobState={} Reason=None ExitCode={} RunTime=00:00:02"


@pytest.mark.parametrize(
    ("shown", "code", "waiting"),
    [
        (SHOWN.format("PENDING", "0:0"), None, True),
        (SHOWN.format("CONFIGURING", "0:0"), None, True),
        (SHOWN.format("RUNNING", "0:0"), None, False),
        (SHOWN.format("COMPLETING", "0:0"), None, False),
        (SHOWN.format("COMPLETED", "0:0"), 0, False),
        (SHOWN.format("FAILED", "3:0"), 3, False),
        (SHOWN.format("CANCELLED", "0:15"), 15, False),
        ("error", None, True),
        ("invalid", -1, True),
    ],
)
def test_a_job_is_followed_by_what_scontrol_shows(tmp_path, monkeypatch, shown, code, waiting):
    """A program of this name, in place of Slurm's, says what Slurm's would."""
    program = tmp_path / "scontrol"
    failing = {
        "error": "echo 'Unable to contact slurm controller' >&2; exit 1",
        "invalid": "echo Invalid job id >&2; exit 1",
    }
    program.write_text(f"#!/bin/sh\n{failing.get(shown, f'echo {chr(39)}{shown}{chr(39)}')}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    job = slurm_job.attached(f"7 {tmp_path}")
    assert job.poll() == code
    assert code is not None or job.waiting() == waiting
    assert job.id == f"7 {tmp_path}"
    if code is not None:
        job.stop()


@pytest.mark.parametrize(("stopped", "said"), [(False, True), (True, False)])
def test_a_job_that_benchspec_cancels_is_no_outcome_of_slurms(tmp_path, monkeypatch, stopped, said):
    (tmp_path / "slurm").mkdir()
    state = tmp_path / "now"
    state.write_text("RUNNING")
    for name, does in (("scontrol", f"echo JobState=$(cat {state}) ExitCode=0:15"), ("scancel", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\necho CANCELLED > {state}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(slurm_job, "INTERVAL", 0.0)
    job = slurm_job.attached(f"7 {tmp_path}")
    if stopped:
        job.stop()
    while job.poll() is None:
        pass
    assert (slurm_job.end(tmp_path) is not None) == said
