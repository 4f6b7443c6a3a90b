"""The rules of the house: who may import whom, and what a light command may load."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from benchspec import load, plan
from benchspec.kinds.registry import GROUP, Registry

ROOT = Path(__file__).parents[1]
CORE = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for file in ROOT.glob("benchspec/**/*.py")
    if file.stem != "__init__"
}
PLUGINS = sorted(ROOT.glob("plugins/benchspec_plugins/**/*.py"))
SPECS = sorted(ROOT.glob("specs/*.yaml"))
HEAVY = {"torch", "transformers", "numpy", "datasets", "accelerate", "deepspeed", "tokenizers", "pandas"}


class Imports(ast.NodeVisitor):
    """Every module that a file imports, wherever in it, but for what only a type checker reads."""

    def __init__(self):
        self.found = set()

    def visit_If(self, node):
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node):
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        assert node.level == 0, "relative imports are not followed here"
        # `from benchspec import plan` may name a module, or what the package holds.
        self.found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


def imports(file):
    visitor = Imports()
    visitor.visit(ast.parse(file.read_text()))
    return visitor.found


def test_imports_are_seen_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    text = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    if f:\n        from c.d import e\n"
    file.write_text(text)
    assert imports(file) == {"a", "c.d", "c.d.e"}


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_not_know_the_first_party_plugins(module):
    assert "benchspec_plugins" not in CORE[module].read_text()


@pytest.mark.parametrize("file", [*CORE.values(), *PLUGINS, ROOT / "benchspec/__init__.py"], ids=lambda file: file.stem)
def test_nobody_imports_cli_or_worker(file):
    assert not imports(file) & {"benchspec.cli", "benchspec.worker.__main__"}


def test_core_modules_import_each_other_in_no_circle():
    graph = {module: imports(file) & CORE.keys() for module, file in CORE.items()}
    assert graph["benchspec.cases.expand"] >= {"benchspec.spec.spec", "benchspec.spec.schema"}
    order = list(TopologicalSorter(graph).static_order())
    assert (
        order.index("benchspec.terms.errors")
        < order.index("benchspec.spec.spec")
        < order.index("benchspec.running.run")
    )


def test_plugins_know_the_core_and_their_own_axis_alone():
    """A model knows no backend, nor a reporter how a case ran."""
    for file in PLUGINS:
        axis = file.parent.name
        theirs = {name.split(".")[1] for name in imports(file) if name.startswith("benchspec_plugins.")}
        assert theirs <= {axis}, file


@pytest.mark.parametrize(
    "arguments", [["--version"], ["validate", SPECS[-1]], ["plan", SPECS[-1]], ["schema"], ["plugins"]]
)
def test_a_light_command_loads_nothing_heavy(arguments):
    code = (
        "import json, sys; from benchspec.cli import cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False); print(); print(json.dumps(list(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "benchspec.cli" in loaded
    assert loaded & HEAVY == set()


def ours():
    """The entries of benchspec's own distribution."""
    points = [point for point in entry_points(group=GROUP) if point.dist.name == "benchspec"]
    return Registry.load(points).entries()


@pytest.mark.parametrize("cls", dict.fromkeys(entry.cls for entry in ours()), ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_a_first_party_plugin_explains_itself_and_its_options(cls):
    assert "__doc__" in vars(cls) and cls.__doc__.strip().splitlines()[0].endswith("."), "the help text"
    properties = cls.options_schema.get("properties", {})
    assert [key for key, fragment in properties.items() if not described(fragment)] == []


def described(fragment):
    """Whether an option has a description, and so have those inside it."""
    return bool(fragment.get("description")) and all(map(described, fragment.get("properties", {}).values()))


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_a_spec_of_ours_is_valid_and_can_be_planned(file):
    assert len(plan(load(file))) > 0
