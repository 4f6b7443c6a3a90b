"""What contributors rely on: workflows, hooks, forms, the changelog and the guides, all checked offline."""

import hashlib
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
HOOKS = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
}
SPECS = sorted(ROOT.glob("specs/*.yaml"))
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
FORMS = sorted(set(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"})
DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
GUIDES = [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md", *sorted(ROOT.glob("docs/decisions/*.md"))]
#: each file of GitHub's that check-jsonschema brings a schema for, and that schema
GITHUB = [
    *((file, "github-workflows") for file in WORKFLOWS),
    *((file, "github-issue-forms") for file in FORMS),
    (ROOT / ".github/ISSUE_TEMPLATE/config.yml", "github-issue-config"),
]
#: not of the repository, but of a run directory
IN_A_RUN = {"case.json", "run.json"}


def installed(*command, text=None):
    """A run of a command that was installed beside this Python: its exit code, stdout and stderr."""
    name, *arguments = map(str, command)
    path = Path(sysconfig.get_path("scripts")) / name
    return subprocess.run([path, *arguments], cwd=ROOT, input=text, capture_output=True, text=True, timeout=60)


def check_github(file, schema):
    return installed("check-jsonschema", "--builtin-schema", f"vendor.{schema}", file)


def shellcheck(script):
    return installed("shellcheck", "--shell=bash", "-", text=script)


def hook(name, file):
    """What a hook of .pre-commit-config.yaml says of a file."""
    return installed(*HOOKS[name]["entry"].split(), file)


def workflow(file):
    # GitHub's `on` is true to YAML 1.1: the base loader leaves every scalar a string.
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)


def steps(file):
    return [step for job in workflow(file)["jobs"].values() for step in job["steps"]]


def commands(file):
    return [step["run"] for step in steps(file) if "run" in step]


def named(page):
    """The files and folders that a page names, from the root or from benchspec/: its links, and between backticks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    links = [(page.parent / link).resolve().relative_to(ROOT) for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", text)]
    code = re.findall(r"`(?:python )?([\w./-]+(?:\.(?:json|md|py|toml|txt|ya?ml)|/))`", text)
    return {*map(str, links), *code} - IN_A_RUN


def layers():
    """The packages and what lies above them, from docs/architecture.md, lowest first."""
    text = (ROOT / "docs/architecture.md").read_text()
    (block,) = re.findall(r"^### Packages, lowest first\n\n```text\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    return [line.split() for line in block.splitlines()]


def in_packages(paths):
    """Those paths that lie in one of the core's packages."""
    packages = {name for line in layers()[:-2] for name in line}
    return {path for path in paths if path.split("/")[0] in packages}


def absent(paths):
    return [path for path in sorted(paths) if not any((root / path).exists() for root in (ROOT, ROOT / "benchspec"))]


# GitHub


def test_there_is_something_to_check():
    assert [file.name for file in WORKFLOWS] == ["ci.yml"]
    assert [file.name for file in FORMS] == ["bug.yml", "feature.yml"]
    assert len(SPECS) > 1 and len(DECISIONS) > 5


@pytest.mark.parametrize("file, schema", GITHUB, ids=lambda value: getattr(value, "stem", value))
def test_a_file_of_githubs_follows_its_schema(file, schema):
    done = check_github(file, schema)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file, schema, right, wrong",
    [
        (WORKFLOWS[0], "github-workflows", "runs-on:", "run-on:"),
        (FORMS[0], "github-issue-forms", "type: textarea", "type: textbox"),
        (GITHUB[-1][0], "github-issue-config", "false", "maybe"),
    ],
    ids=["workflow", "form", "config"],
)
def test_a_mistake_in_a_file_of_githubs_is_found(file, schema, right, wrong, tmp_path):
    text = file.read_text()
    assert right in text
    (tmp_path / file.name).write_text(text.replace(right, wrong, 1))
    assert check_github(tmp_path / file.name, schema).returncode == 1


@pytest.mark.parametrize("script", [run for file in WORKFLOWS for run in commands(file)])
def test_a_command_of_a_workflow_passes_shellcheck(script):
    done = shellcheck(script)
    assert done.returncode == 0, done.stdout
    assert "${{" not in script, "GitHub would paste the value into the script; pass it by `env`"


def test_shellcheck_finds_a_mistake():
    done = shellcheck("python -m pip install $TORCH")
    assert done.returncode == 1 and "SC2086" in done.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_reads_only_and_ends(file):
    found = workflow(file)
    assert found["permissions"] == {"contents": "read"}
    assert "github.ref" in found["concurrency"]["group"]
    assert [name for name, job in found["jobs"].items() if "permissions" in job or "timeout-minutes" not in job] == []
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert used and [one for one in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", one)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_a_workflow_makes_and_caches_by_exists(file):
    targets = set(re.findall(r"^(\S+):", (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv"), re.MULTILINE))
    assert {target for run in commands(file) for target in re.findall(r"^make (\S+)", run)} <= targets
    cached = [step["with"] for step in steps(file) if "setup-python" in step.get("uses", "")]
    assert cached and all(one["cache"] == "pip" for one in cached)
    assert [path for one in cached for path in one["cache-dependency-path"].split() if not (ROOT / path).exists()] == []


def test_the_matrix_is_what_pyproject_promises():
    jobs = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert jobs["fast"]["strategy"]["matrix"]["python"] == promised

    oldest, newest = jobs["libraries"]["strategy"]["matrix"]["include"]
    assert (oldest["python"], newest["python"]) == (promised[0], promised[-1])
    for library in ("torch", "transformers"):
        (accepted,) = [line for line in PROJECT["optional-dependencies"]["train"] if re.match(rf"{library}\W", line)]
        lowest = re.search(r">=([\d.]+)", accepted)[1]
        assert (oldest[library], newest[library]) == (f"{library}=={lowest}.*", accepted)


def test_a_pull_request_has_four_boxes():
    assert len(re.findall(r"^- \[ \] ", (ROOT / ".github/pull_request_template.md").read_text(), re.MULTILINE)) == 4


# pre-commit


def test_hooks_need_nothing_but_the_versions_that_are_tested():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert list(HOOKS) == ["ruff", "ruff-format", "specs"]
    for one in HOOKS.values():
        (pinned,) = one["additional_dependencies"]
        name, _, version = pinned.partition("==")
        assert one["language"] == "python" and one["entry"].split()[0] == name
        assert version == CONSTRAINTS[name]


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_a_spec_passes_its_hook(file):
    assert re.search(HOOKS["specs"]["files"], str(file.relative_to(ROOT)))
    done = hook("specs", file)
    assert done.returncode == 0, done.stdout


def test_the_hook_of_specs_finds_a_mistake(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPECS[0].read_text().replace("experiments:", "experiment:", 1))
    done = hook("specs", tmp_path / "spec.yaml")
    assert done.returncode == 1 and "'experiments' is a required property" in done.stdout


def test_ruffs_hooks_find_a_mistake(tmp_path):
    (tmp_path / "module.py").write_text("import os\nx = {  }\n")
    done = hook("ruff", tmp_path / "module.py")
    assert done.returncode == 1 and "F401" in done.stdout
    assert hook("ruff-format", tmp_path / "module.py").returncode == 0
    assert "x = {}" in (tmp_path / "module.py").read_text()


# Packaging and pages


def test_the_licence_is_whole_and_in_the_metadata():
    core = ProjectMetadata(str(ROOT), PluginManager()).core
    assert (core.license_expression, core.license_files) == ("Apache-2.0", ["LICENSE"])
    assert core.authors == [{"name": "The benchspec authors"}]
    owner, blank = "2026 The benchspec authors", "[yyyy] [name of copyright owner]"
    text = (ROOT / "LICENSE").read_text()
    assert text.count(f"Copyright {owner}\n") == 1
    # The text as its authors publish it.
    assert hashlib.sha256(text.replace(owner, blank).encode()).hexdigest().startswith("cfc7749b96f63bd3")


def test_the_tools_of_dev_are_constrained():
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in PROJECT["optional-dependencies"]["dev"]}
    assert names - {name.lower() for name in CONSTRAINTS} == {"benchspec"}


def test_the_changelog_begins_with_what_is_unreleased():
    first, *older = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    assert first.splitlines()[0] == "Unreleased" and older
    assert re.findall(r"^### (.*)", first, re.MULTILINE) == ["Added", "Changed", "Fixed"]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_files_that_a_guide_names_exist(page):
    paths = named(page)
    assert absent(paths - in_packages(paths)) == []


def test_files_in_packages_that_the_guides_name_exist():
    paths = in_packages(path for page in GUIDES for path in named(page))
    assert len(paths) > 10 and absent(paths) == []


def test_the_guides_name_files():
    assert {"docs/log.md", "docs/architecture.md", "README.md", "benchmarks/"} <= named(GUIDES[0])
    assert {"docs/decisions/0001-files-between-core-and-worker.md"} <= named(GUIDES[1])


def test_every_decision_has_its_form_and_stands_in_the_index():
    index = (ROOT / "docs/decisions/README.md").read_text()
    rows = re.findall(r"^\| \[(\d+)\]\((.+?)\) \| .+ \|$", index, re.MULTILINE)
    assert rows == [(str(number), file.name) for number, file in enumerate(DECISIONS, 1)]
    for number, file in enumerate(DECISIONS, 1):
        text = file.read_text()
        assert file.name.startswith(f"{number:04}-") and text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_packages_stand_in_one_list():
    assert layers()[0] == ["terms"] and layers()[-1] == ["benchspec_plugins"]
    names = [name for line in layers() for name in line]
    assert len(set(names)) == len(names) > 10
