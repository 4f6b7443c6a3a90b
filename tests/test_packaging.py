"""What is shipped, and what it does where nothing else is installed."""

import configparser
import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "third_party" / "benchspec-example"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
HEAVY = ("torch", "transformers", "accelerate", "datasets", "numpy")


class Environment:
    """A virtual environment of its own, without pip: the outer one's installs into it."""

    def __init__(self, folder, cwd):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.bin, self.cwd = folder / "bin", cwd

    def pip(self, *arguments):
        command = [sys.executable, "-m", "pip", "--python", self.bin / "python", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.cwd)
        assert done.returncode == 0, done.stderr

    def python(self, code):
        return subprocess.run([self.bin / "python", "-c", code], capture_output=True, text=True, check=True).stdout

    def benchspec(self, *arguments):
        return subprocess.run([self.bin / "benchspec", *arguments], capture_output=True, text=True, cwd=self.cwd)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the sdist, and with the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def wheel(dist):
    return dist / f"benchspec-{VERSION}-py3-none-any.whl"


@pytest.fixture
def light(wheel, tmp_path):
    """An environment with `pip install benchspec`, and nothing else."""
    environment = Environment(tmp_path / "environment", tmp_path)
    environment.pip("install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    return environment


@pytest.fixture
def full(wheel, tmp_path):
    """An environment with benchspec from its wheel; everything else, torch and all, is the outer environment's."""
    environment = Environment(tmp_path / "environment", tmp_path)
    others = tmp_path / "others"
    others.mkdir()
    for folder in (Path(path) for path in sys.path if path.endswith("-packages")):
        for item in folder.iterdir():
            # Links one by one: what is installed here of benchspec and of its plugins must not shine through.
            if "benchspec" not in item.name and item.suffix != ".pth" and not (others / item.name).exists():
                (others / item.name).symlink_to(item)
    packages = environment.python("import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(packages) / "others.pth").write_text(f"{others}\n")
    environment.pip("install", "--quiet", "--no-deps", wheel)
    return environment


def install_example(environment):
    """Install a copy, so that nothing is built in the checkout, and give its spec some rows."""
    shutil.copytree(EXAMPLE, environment.cwd / "package")
    environment.pip("install", "--quiet", "--no-deps", "--no-build-isolation", environment.cwd / "package")
    shutil.copy(EXAMPLE / "example.yaml", environment.cwd)
    rows = [f"What is {n} and one?,,It is {n + 1}." for n in range(64)]
    (environment.cwd / "rows.csv").write_text("\n".join(["instruction,input,output", *rows]))


def test_the_wheel_holds_core_plugins_and_schemas_and_nothing_else(wheel):
    names = ZipFile(wheel).namelist()
    sources = {*ROOT.glob("benchspec/**/*.py"), *ROOT.glob("plugins/benchspec_plugins/**/*.py")}
    sources |= set(ROOT.glob("plugins/benchspec_plugins/reporters/page/*"))
    expected = {str(file.relative_to(ROOT)).removeprefix("plugins/") for file in sources}
    expected |= {f"benchspec/{file.relative_to(ROOT)}" for file in ROOT.glob("schemas/*.json")}
    found = [name for name in names if ".dist-info/" not in name and not name.endswith("py.typed")]
    assert set(found) == expected
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_first_party_plugin_is_an_entry_point_of_the_wheel(wheel):
    points = configparser.ConfigParser()
    points.read_string(ZipFile(wheel).read(f"benchspec-{VERSION}.dist-info/entry_points.txt").decode())
    plugins = ROOT / "plugins"
    modules = [
        file for file in plugins.glob("benchspec_plugins/**/*.py") if "\ndef benchspec_register(" in file.read_text()
    ]
    expected = sorted(str(file.relative_to(plugins).with_suffix("")).replace("/", ".") for file in modules)
    assert sorted(points["benchspec"].values()) == expected
    assert dict(points["console_scripts"]) == {"benchspec": "benchspec.cli:main"}


def test_the_sdist_holds_what_the_project_lists(dist):
    with tarfile.open(dist / f"benchspec-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = [item.lstrip("/") for item in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]]
    absent = [item for item in listed if not any(name == item or name.startswith(f"{item}/") for name in names)]
    assert absent == []
    strangers = {name.split("/")[0] for name in names} - {
        *listed,
        "README.md",
        "pyproject.toml",
        ".gitignore",
        "PKG-INFO",
    }
    assert strangers == set()


def test_the_version_stands_in_one_place():
    shown = subprocess.run([sys.executable, "-m", "benchspec.cli", "--version"], capture_output=True, text=True)
    assert shown.returncode == 0
    holders = [file for file in ROOT.glob("benchspec/**/*.py") if VERSION in file.read_text()]
    assert holders == []


@pytest.mark.slow
def test_without_extras_everything_but_run_works(light, dist):
    installed = light.python(f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])")
    assert installed.strip() == "[]"
    assert light.benchspec("--version").stdout == f"benchspec, version {VERSION}\n"
    for spec in ("specs/quickstart.yaml", "specs/xe9680.yaml"):
        assert light.benchspec("validate", spec).stdout.startswith(f"{spec}: ok, ")
        plans = light.benchspec("plan", spec, "--format", "json")
        assert json.loads(plans.stdout)
        # A machine without 8 cores is warned of the 8 processes of xe9680.yaml.
        assert all(" warning: defaults.launcher: 8 processes on " in line for line in plans.stderr.splitlines())
    plugins = json.loads(light.benchspec("plugins", "--format", "json").stdout)
    assert plugins["broken"] == [] and len(plugins["plugins"]) > 40
    for name in ("spec", "result", "event"):
        assert json.loads(light.benchspec("schema", name).stdout)["type"] == "object"
    machine = light.benchspec("machine")
    assert "torch, transformers, accelerate are not installed" in machine.stdout and machine.returncode == 0


@pytest.mark.slow
def test_without_extras_run_says_in_one_line_which_to_install(light):
    done = light.benchspec("run", "specs/quickstart.yaml")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: torch, transformers, accelerate") and "pip install -e '.[train]'" in line
    assert (done.returncode, done.stdout) == (2, "")
    assert not (light.cwd / "runs").exists()


@pytest.mark.slow
def test_a_plugin_package_is_an_install_away(full):
    install_example(full)
    plugins = json.loads(full.benchspec("plugins", "--format", "json").stdout)
    theirs = [one["name"] for one in plugins["plugins"] if one["distribution"] == "benchspec-example 1.0"]
    assert theirs == ["csv-rows", "llama", "llama-mini", "ddp-small-buckets", "one-liners"]

    short = ["--set", "defaults.train.max_steps=2", "--set", "defaults.train.gradient_accumulation=1"]
    done = full.benchspec("run", "example.yaml", *short)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = full.cwd / "runs" / "example"
    (result,) = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    line = f"{result['case']}: ok, {result['metrics']['rows_per_second']:.1f} rows/s\n"
    assert done.stdout.endswith(line) and (folder / "report.log").read_text() == line
    assert result["proof"]["bucket_bytes"] == 2 * 2**20
    (attempt,) = (folder / "cases" / "mine" / result["case"]).iterdir()
    assert [file.name for file in sorted(attempt.glob("rank-*.jsonl"))] == ["rank-0.jsonl", "rank-1.jsonl"]
    assert (attempt / "stderr.log").read_text() == ""


@pytest.mark.slow
def test_uninstalling_a_plugin_package_hurts_only_the_specs_that_name_it(full):
    install_example(full)
    assert full.benchspec("validate", "example.yaml").returncode == 0
    full.pip("uninstall", "--quiet", "--yes", "benchspec-example")
    for command in ("validate", "run"):
        done = full.benchspec(command, "example.yaml")
        kinds = ("dataset", "backend", "model", "reporter")
        names = ("csv-rows", "ddp-small-buckets", "llama-mini", "one-liners")
        for line, kind, name in zip(done.stderr.splitlines(), kinds, names, strict=True):
            assert line.startswith("example.yaml:") and f"no {kind} is called '{name}' (installed: " in line
        assert (done.returncode, done.stdout) == (2, "")
    assert full.benchspec("validate", ROOT / "specs" / "quickstart.yaml").returncode == 0
    assert "Not loaded" not in full.benchspec("plugins").stdout
