"""The action and the workflow for pull requests, whose steps are run as a runner would: by bash, with files for outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compared_runs import run_dir
from test_habits import check_github, shellcheck

pytest.importorskip("scipy")

ROOT = Path(__file__).parents[1]
ACTION = ROOT / ".github/actions/compare/action.yml"
PAGE = (ROOT / "docs/pull-requests.md").read_text()
#: GitHub's `on` is true to YAML 1.1: the base loader leaves every scalar a string.
WORKFLOW = re.search(r"```yml\n(name: Speed\n.*?)```", PAGE, re.DOTALL)[1]
STEPS = {
    step["name"]: step for step in yaml.load(WORKFLOW, yaml.BaseLoader)["jobs"]["speed"]["steps"] if "name" in step
}
RATES = [100.0, 100.1, 99.9]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Runs a step's script in a temporary folder; returns its exit code, and what it wrote for the runner."""
    monkeypatch.chdir(tmp_path)
    command = tmp_path / "bin" / "benchspec"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from benchspec.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)

    def run(script, **env):
        files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
        for name in files.values():
            Path(name).write_text("")
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            env={**os.environ, "PATH": path, **files, **env}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        return done, Path("output").read_text(), Path("summary").read_text()

    return run


def action():
    return yaml.safe_load(ACTION.read_text())


def compared(runner, **given):
    """The action's step, its variables set from the inputs' defaults and these."""
    inputs = {name: each.get("default", "") for name, each in action()["inputs"].items()} | {"head": "head", **given}
    (step,) = action()["runs"]["steps"]
    names = {
        variable: re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)[1] for variable, value in step["env"].items()
    }
    return runner(step["run"], **{variable: inputs[name] for variable, name in names.items()})


@pytest.mark.parametrize(("factor", "code", "verdict"), [(1.0, 0, "same"), (0.9, 1, "worse")])
def test_the_action_says_the_verdict_and_ends_by_it(runner, factor, code, verdict):
    run_dir(Path("baseline"), RATES)
    run_dir(Path("head"), [factor * rate for rate in RATES])
    done, output, summary = compared(runner, **{"junit-file": "speed.xml"})
    assert (done.returncode, output) == (code, f"verdict={verdict}\n")
    comment = Path("benchspec-comment.md").read_text()
    assert comment.startswith(f"<!-- benchspec compare -->\n\n**rows/s: 1 {verdict} ")
    assert "| sizes: model opt-tiny |" in summary and summary in comment
    assert Path("speed.xml").read_text().count("<testcase") == 1


def test_the_action_fails_where_nothing_is_comparable(runner):
    run_dir(Path("baseline"), RATES)
    run_dir(Path("head"), RATES, losses=(9.0,))
    done, output, summary = compared(runner)
    assert (done.returncode, output) == (4, "verdict=not comparable\n")
    assert "the losses part at step 1" in summary


def test_without_a_baseline_the_action_succeeds_and_says_so(runner):
    run_dir(Path("head"), RATES)
    done, output, summary = compared(runner)
    assert (done.returncode, output) == (0, "verdict=no baseline\n")
    assert summary == "There is no baseline to compare with yet.\n"


def test_a_mistake_is_said_and_nothing_else(runner):
    run_dir(Path("baseline"), RATES)
    done, output, summary = compared(runner, head="nowhere")
    assert (done.returncode, output, summary) == (2, "", "")
    assert done.stderr == "error: nowhere: no such run directory\n"
    assert not Path("benchspec-comment.md").exists()


@pytest.mark.slow
def test_what_may_differ_is_passed_on(runner):
    from compared_runs import RECORD

    run_dir(Path("baseline"), RATES)
    run_dir(Path("head"), RATES, record={**RECORD, "machine": {"cpu": "Xeon", "driver": None}})
    assert compared(runner, across="machine libraries")[1] == "verdict=same\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a b$(touch owned)`touch owned`'; touch owned; '\"", "-x\nverdict=same"])
def test_a_hostile_path_is_a_path(runner, name):
    run_dir(Path(name), RATES)
    run_dir(Path("head"), [0.9 * rate for rate in RATES])
    done, output, _ = compared(runner, base=name)
    assert (done.returncode, output) == (1, "verdict=worse\n"), done.stderr
    assert not Path("owned").exists()


def test_action_and_workflow_follow_githubs_schemas(tmp_path):
    done = check_github(ACTION, "github-actions")
    assert done.returncode == 0, done.stdout
    (tmp_path / "speed.yml").write_text(WORKFLOW)
    done = check_github(tmp_path / "speed.yml", "github-workflows")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "script", [*(step["run"] for step in STEPS.values() if "run" in step), action()["runs"]["steps"][0]["run"]]
)
def test_scripts_pass_shellcheck_and_take_no_value_from_github(script):
    done = shellcheck(script)
    assert done.returncode == 0, done.stdout
    assert "${{" not in script


def test_the_workflow_names_inputs_that_the_action_has():
    assert set(STEPS["Compare"]["with"]) <= set(action()["inputs"])


def github(tmp_path, *, runs="", comments=""):
    """A `gh` that answers so and writes down how it was called: GitHub itself cannot be reached here."""
    command = tmp_path / "bin" / "gh"
    command.write_text(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> called\n"
        f"case \"$*\" in 'run list'*) printf '%s' '{runs}';; *--paginate*) printf '%s' '{comments}';; esac\n"
    )
    command.chmod(0o755)


def test_the_baseline_is_the_main_branchs_latest_artefact_if_there_is_one(runner, tmp_path):
    script = STEPS["Fetch the baseline"]["run"]
    github(tmp_path, runs="4711\n")
    assert runner(script, REPOSITORY="o/r")[0].returncode == 0
    calls = Path("called").read_text().splitlines()
    assert (
        "--branch main" in calls[0] and calls[1] == "run download 4711 --repo o/r --name benchspec-run --dir baseline"
    )
    Path("called").unlink()
    github(tmp_path)
    assert runner(script, REPOSITORY="o/r")[0].returncode == 0
    assert len(Path("called").read_text().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("comments", "method"),
    [("", "POST repos/o/r/issues/7/comments"), ("12\n34\n", "PATCH repos/o/r/issues/comments/12")],
)
def test_a_comment_is_made_once_and_then_updated(runner, tmp_path, comments, method):
    github(tmp_path, comments=comments)
    Path("benchspec-comment.md").write_text("<!-- benchspec compare -->\n")
    assert runner(STEPS["Comment"]["run"], REPOSITORY="o/r", NUMBER="7")[0].returncode == 0
    assert Path("called").read_text().splitlines()[1] == f"api --method {method} -F body=@benchspec-comment.md"


@pytest.mark.slow
def test_the_workflow_measures_and_compares_real_runs(runner):
    pytest.importorskip("torch")
    Path("speed.yaml").write_text(
        "benchspec: 1\nname: speed\nexperiments:\n  one:\n    model: opt-tiny\n    recipe: loop\n"
        "    dataset: {name: synthetic, rows: 16}\n    train: {precision: fp32, max_steps: 2, max_length: 800}\n"
    )
    command = Path(".venv/bin/benchspec")
    command.parent.mkdir(parents=True)
    command.symlink_to(Path("bin/benchspec").absolute())
    measure = STEPS["Measure"]["run"].replace("--repeats 5", "--repeats 1")
    assert runner(measure)[0].returncode == 0
    Path("run").rename("baseline")
    assert runner(measure)[0].returncode == 0
    done, output, _ = compared(runner, **STEPS["Compare"]["with"] | {"head": "run"})
    assert (done.returncode, output) == (0, "verdict=undecided\n"), done.stderr
