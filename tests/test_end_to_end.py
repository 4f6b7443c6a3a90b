"""The command line from spec to report, with processes that train, crash, hang and are killed."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import time
from pathlib import Path

import psutil
import pytest
from conftest import benchspec, install, start
from jsonschema import Draft202012Validator

from benchspec.terms import schemas

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.skipif(os.name != "posix", reason="needs signals")]

SECRET = "hf_a-secret-that-nobody-may-see"
HEAD = """
benchspec: 1
name: demo
defaults:
  model: opt-tiny
  dataset: {name: synthetic, rows: 24}
  backend: alone
  recipe: plain
  launcher: {name: torchrun, processes: 1}
  train: {precision: fp32, max_length: 512, epochs: 1, gradient_accumulation: 1, learning_rate: 1e-3}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the package of mischief is installed."""
    source = Path(__file__).with_name("mischief.py").read_text()
    return str(install(tmp_path_factory.mktemp("site"), "mischief", source))


@pytest.fixture
def env(site):
    return {"PYTHONPATH": site, "HF_TOKEN": SECRET}


def write(folder, experiments):
    (folder / "demo.yaml").write_text(HEAD + "experiments:\n" + experiments)
    return folder / "runs/demo"


def journal(run):
    return [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]


def attempts(run):
    return sorted(str(path.parent.relative_to(run / "cases")) for path in run.glob("cases/*/*/*/case.json"))


def workers(run):
    """The processes that were started in a run directory and live."""

    def belongs(process):
        try:
            return process.status() != psutil.STATUS_ZOMBIE and str(run) in " ".join(process.cmdline())
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if belongs(process)]


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def check_files(run):
    """Every event and result is as its schema says, and no file contains the secret."""
    for pattern, name in (("cases/*/*/*/rank-*.jsonl", "event"), ("results.jsonl", "result")):
        check = Draft202012Validator(schemas.load(name))
        files = list(run.glob(pattern))
        assert files
        for line in (line for file in files for line in file.read_text().splitlines()):
            assert not list(check.iter_errors(json.loads(line))), line
    for file in run.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file


def test_whatever_goes_wrong_in_a_case_is_its_outcome_and_the_sweep_goes_on(tmp_path, env):
    run = write(
        tmp_path,
        """
  bad: {dataset: {name: alpaca, path: bad.json}}
  half: {train: {precision: bf16}}
  one: {matrix: {recipe.fault: [memory, nan, frozen, none]}}
  two:
    launcher: {name: torchrun, processes: 2}
    recipe: {name: plain, rank: 1}
    matrix:
      recipe.fault: [kill, raise, mismatch]
      include: [{recipe.fault: hang, limits.timeout: 25}]
""",
    )
    (tmp_path / "bad.json").write_text('[{"instruction": "a", "input": "", "output": 3}]')
    ran = benchspec("run", "demo.yaml", "--reporter", "csv", cwd=tmp_path, env=env)

    found = {(each["experiment"], each["axes"].get("recipe.fault")): each for each in journal(run)}
    endings = {key: (each["outcome"], each["phase"], each["rank"]) for key, each in found.items()}
    # Which of the two gloo ends is its own matter.
    del endings["two", "mismatch"]
    assert endings == {
        ("bad", None): ("crash", "data", 0),
        # The recipe computes in float32, whatever it is asked for.
        ("half", None): ("crash", "first-step", 0),
        ("one", "memory"): ("oom", "steady", 0),
        ("one", "nan"): ("crash", "train", 0),
        ("one", "frozen"): ("crash", "train", 0),
        ("one", "none"): ("ok", None, None),
        ("two", "kill"): ("crash", "steady", 1),
        ("two", "raise"): ("crash", "steady", 1),
        # Both ranks had got as far, so that nothing tells which one hangs.
        ("two", "hang"): ("timeout", "steady", None),
    }
    assert found["half", None]["reason"].endswith(
        "the first block computes in float32, not in bfloat16 (train.precision)"
    )
    assert "DefaultCPUAllocator" in found["one", "memory"]["reason"]
    assert "the model did not learn" in found["one", "nan"]["reason"]
    assert "training changed 0 of" in found["one", "frozen"]["reason"]
    assert "killed (signal 9)" in found["two", "kill"]["reason"]
    said = found["two", "raise"]["reason"]
    assert said.startswith("ZeroDivisionError: a mistake of the recipe's author (") and "/mischief.py:" in said
    assert any("ZeroDivisionError" in line for line in found["two", "raise"]["log"])
    aborted = found["two", "mismatch"]
    assert (aborted["outcome"], aborted["phase"]) == ("crash", "steady")
    assert "ended by SIGABRT: terminate called after throwing an instance of 'gloo::EnforceNotMet'" in aborted["reason"]
    assert f"(log: runs/demo/cases/two/{aborted['case']}/1/stderr.log)" in ran.stderr
    assert found["two", "hang"]["reason"] == "not finished after 25 s (limits.timeout)"

    # The malformed row is a user's mistake: one line, no traceback.
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].endswith("bad.json: row 1: 'output' is a number; it must be a string")
    assert "Traceback" not in ran.stderr + ran.stdout
    assert ran.stdout.startswith("experiment,case")
    assert not workers(run)
    check_files(run)


def test_a_recipe_that_reports_what_cannot_be_is_a_crash_that_says_so(tmp_path, env):
    run = write(tmp_path, "  one: {matrix: {recipe.fault: [boast, longer, numpy]}}\n")
    ran = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    assert ran.returncode == 1, ran.stderr
    many, longer, other = journal(run)
    assert [each["outcome"] for each in (many, longer, other)] == ["crash"] * 3
    assert many["reason"].startswith("the recipe 'plain' reports 1,000,000 rows in step 1, but a step has at most 4 (")
    assert longer["reason"] == "the recipe 'plain' reports 5 steps, but its plan is 3 steps"
    assert "the recipe 'plain' reports rows as 1, a int64; give a plain integer" in other["reason"]
    assert (many["phase"], longer["phase"], other["phase"]) == ("train", "train", "first-step")


def test_a_run_is_reported_resumed_and_measured_as_trainer_measures_it(tmp_path, env):
    run = write(tmp_path, "  sizes: {backend: single, recipe: timed, train: {max_length: 512}, title: A tiny one}\n")
    first = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("demo\n") and "\nA tiny one\n" in first.stdout
    assert re.search(r"case 1 of 1  sizes/\S+  ok  trained in .* rows/s", first.stderr)
    assert "case 1" not in first.stdout
    check_files(run)

    (result,) = journal(run)
    trainers = json.loads(next(run.glob("cases/*/*/1/trainer.json")).read_text())
    assert result["metrics"]["train_runtime"] == pytest.approx(trainers["train_runtime"], rel=0.01)
    assert result["metrics"]["steps"] == 6

    # All ranks were done, but nobody had written it down: it is reduced, not run again.
    (run / "results.jsonl").write_text("")
    second = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    assert (second.returncode, len(attempts(run))) == (0, 1)
    assert journal(run)[0]["metrics"]["train_runtime"] == result["metrics"]["train_runtime"]

    third = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    assert (third.returncode, third.stdout, len(journal(run))) == (0, second.stdout, 1)


SLOW = "{name: plain, steps: 20, sleep: 0.3}"
ONE = f"  sizes: {{matrix: {{recipe: [{SLOW}]}}}}\n"
TWO = f"  sizes: {{matrix: {{recipe: [plain, {SLOW}]}}}}\n"


def is_training(run):
    return any('"steady"' in file.read_text() for file in run.glob("cases/*/*steps-20*/1/rank-0.jsonl"))


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, env):
    run = write(tmp_path, TWO)
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: is_training(run), 180)
    # As from somebody who is in a hurry.
    for _ in range(20):
        running.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, said = running.communicate(timeout=30)
    assert not workers(run)
    assert "Traceback" not in said
    assert running.returncode == 130
    assert said.splitlines()[-1] == (
        "interrupted: 1 of 2 cases have a result in runs/demo; run the same command to resume"
    )
    assert benchspec("run", "demo.yaml", cwd=tmp_path, env=env).returncode == 0
    assert [(each["outcome"], each["attempt"]) for each in journal(run)] == [("ok", "1"), ("ok", "2")]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_in_order(tmp_path, env, signum):
    run = write(tmp_path, ONE)
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: is_training(run), 180)
    running.send_signal(signum)
    _, said = running.communicate(timeout=30)
    assert not workers(run)
    assert running.returncode == 130
    assert "interrupted: 0 of 1 cases have a result" in said


def test_a_benchspec_that_is_killed_leaves_no_process(tmp_path, env):
    run = write(tmp_path, ONE)
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: is_training(run), 180)
    second = benchspec("run", "demo.yaml", cwd=tmp_path, env=env)
    assert second.returncode == 2
    assert "error: another benchspec run is using runs/demo; wait for it" in second.stderr
    running.kill()
    running.communicate(timeout=30)
    assert until(lambda: not workers(run), 5)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_while_processes_start_leaves_none(tmp_path, env, signum):
    run = write(tmp_path, ONE)
    running = start("run", "demo.yaml", cwd=tmp_path, env=env)
    assert until(lambda: len(workers(run)) >= 2, 180)
    running.send_signal(signum)
    running.communicate(timeout=30)
    assert running.returncode == (130 if signum == signal.SIGINT else -signal.SIGKILL)
    assert until(lambda: not workers(run), 5)


def test_a_terminal_shows_a_live_line(tmp_path, env):
    write(tmp_path, "  sizes: {recipe: {name: plain, steps: 4, sleep: 0.3}, train: {max_steps: 4}}\n")
    ours, theirs = pty.openpty()
    running = start(
        "run", "demo.yaml", cwd=tmp_path, env=env | {"TERM": "xterm", "COLUMNS": "120"}, stderr=theirs, text=False
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    out, _ = running.communicate(timeout=30)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"case 1 of 1  sizes/opt-tiny-\w+  build", text)
    assert re.search(r"case 1 of 1  sizes/opt-tiny-\w+  step 3 of 4  [\d.]+ rows/s  [\d.]+ s, [\d.]+ s left", text)
    assert re.search(r"case 1 of 1  sizes/opt-tiny-\w+  ok  trained in", text)
    assert b"\x1b" not in out
