"""Ranks that are forked from a process that has imported what they need: what holds of others holds of them."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import benchspec, install, start

from benchspec.machine.process import MARK

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="warm starts are Linux's"),
]

HEAD = """
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 24}
  backend: alone
  recipe: plain
  launcher: {name: torchrun, processes: 1, warm: true}
  train: {precision: fp32, max_length: 512, epochs: 1, gradient_accumulation: 1, learning_rate: 1e-3}
"""
SLOW = "{recipe: {name: plain, steps: 40, sleep: 0.3}}"


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    source = Path(__file__).with_name("mischief.py").read_text()
    return {"PYTHONPATH": str(install(tmp_path_factory.mktemp("site"), "mischief", source))}


def write(folder, experiments):
    (folder / "demo.yaml").write_text(HEAD + "experiments:\n" + experiments)
    return folder / "runs/demo"


def journal(run):
    return [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]


def events(run, kind):
    """The events of a kind of each case's first rank, case by case in the order of their attempts."""
    for result in journal(run):
        file = run / "cases" / result["experiment"] / result["case"] / result["attempt"] / "rank-0.jsonl"
        yield [event for event in map(json.loads, file.read_text().splitlines()) if event["event"] == kind]


def marked(run):
    """The processes that bear the mark of a case of a run, as another process sees it."""

    def mark(process):
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            return "" if dead else process.environ().get(MARK, "")
        except psutil.Error:
            return ""

    return [process for process in psutil.process_iter() if mark(process).startswith(str(run))]


def gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def is_training(run):
    return any('"steady"' in file.read_text() for file in run.glob("cases/*/*/1/rank-0.jsonl"))


def test_whatever_goes_wrong_in_a_warm_case_is_its_outcome_as_ever(tmp_path, env):
    run = write(
        tmp_path,
        """
  one: {matrix: {recipe.fault: [memory, nan, exit, quit, none]}}
  two:
    launcher: {name: torchrun, processes: 2, warm: true}
    recipe: {name: plain, rank: 1}
    matrix:
      recipe.fault: [kill, raise, daemon, none]
      include: [{recipe.fault: hang, limits.timeout: 15}]
""",
    )
    ran = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    found = {(each["experiment"], each["axes"]["recipe.fault"]): each for each in journal(run)}
    endings = {key: (each["outcome"], each["phase"], each["rank"]) for key, each in found.items()}
    assert endings == {
        ("one", "memory"): ("oom", "steady", 0),
        ("one", "nan"): ("crash", "train", 0),
        ("one", "exit"): ("crash", "steady", 0),
        ("one", "quit"): ("crash", "steady", 0),
        ("one", "none"): ("ok", None, None),
        ("two", "kill"): ("crash", "steady", 1),
        ("two", "raise"): ("crash", "steady", 1),
        ("two", "daemon"): ("ok", None, None),
        ("two", "none"): ("ok", None, None),
        ("two", "hang"): ("timeout", "steady", None),
    }, ran.stderr
    assert "killed (signal 9)" in found["two", "kill"]["reason"]
    assert "exit code 3" in found["one", "quit"]["reason"]
    (left,) = run.glob("cases/two/*/1/daemon")
    assert not psutil.pid_exists(int(left.read_text()))
    assert not marked(run)
    assert not any(each["warnings"] for each in found.values() if each["outcome"] == "ok")
    # Each case has processes of its own.
    pids = [pid for (begun, *_) in events(run, "start") for pid in [begun["pid"]]]
    assert len(set(pids)) == len(pids)


def test_a_case_after_the_first_is_in_its_first_step_soon(tmp_path, env):
    run = write(tmp_path, "  one: {backend: single, recipe: alpaca, matrix: {train.seed: [1, 2, 3]}}\n")
    assert benchspec("run", "demo.yaml", cwd=tmp_path, env=env).returncode == 0
    begun = [result["started"] for result in journal(run)]
    ended = [steps[0]["time"] for steps in events(run, "step")]
    first, *later = (end - begin for begin, end in zip(begun, ended, strict=True))
    # How long it takes on a quiet machine is for a benchmark to say.
    assert max(later) < first


def test_a_warm_case_learns_what_a_cold_one_does(tmp_path, env):
    run = write(
        tmp_path,
        "  one: {backend: fsdp, recipe: alpaca, launcher: {name: torchrun, processes: 2}, "
        "matrix: {launcher.warm: [false, true]}}\n",
    )
    assert benchspec("run", "demo.yaml", cwd=tmp_path, env=env).returncode == 0
    cold, warm = ([step["loss"] for step in steps] for steps in events(run, "step"))
    assert warm == pytest.approx(cold, rel=1e-6)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_benchspec_that_is_stopped_leaves_no_process(tmp_path, env, signum):
    run = write(tmp_path, f"  one: {SLOW}\n")
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: is_training(run), 180)
    below = psutil.Process(running.pid).children(recursive=True)
    assert len(below) >= 3
    # A rank and its supervisor are seen to belong to the case.
    assert len(marked(run)) >= 2
    running.send_signal(signum)
    running.communicate(timeout=30)
    assert until(lambda: all(map(gone, below)), 5)


@pytest.mark.parametrize("place", ["template", "supervisor"])
def test_a_process_between_benchspec_and_the_ranks_that_is_killed_ends_the_case(tmp_path, env, place):
    run = write(
        tmp_path,
        "  one: {matrix: {include: [{recipe: {name: plain, steps: 40, sleep: 0.3}}, {recipe: plain}]}}\n",
    )
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: is_training(run), 180)
    (template,) = psutil.Process(running.pid).children()
    (supervisor,) = template.children()
    {"template": template, "supervisor": supervisor}[place].kill()
    _, said = running.communicate(timeout=120)
    results = journal(run)
    assert [each["outcome"] for each in results] == ["crash", "ok"], said
    assert {"template": "forked from", "supervisor": "supervises the case"}[place] in results[0]["reason"]
    assert "was killed (signal 9)" in results[0]["reason"]
    assert not marked(run)


def test_hosts_are_not_started_warm(tmp_path):
    (tmp_path / "demo.yaml").write_text(
        "benchspec: 1\nname: demo\nexperiments:\n  one:\n    model: opt-tiny\n    dataset: synthetic\n"
        "    launcher: {name: torchrun, processes: 2, nodes: 2, warm: true}\n"
    )
    found = benchspec("validate", "demo.yaml", cwd=tmp_path)
    assert found.returncode == 2
    assert (
        "the launcher 'torchrun' starts processes of one host warm, not of several; remove `warm`"
        in found.stderr + found.stdout
    )
