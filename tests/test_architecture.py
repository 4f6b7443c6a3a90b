"""The rules of the architecture: who may import whom, and what a light command may load."""

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import benchspec
from benchspec import load, plan
from benchspec.kinds.discovery import GROUP
from benchspec.kinds.registry import Registry

ROOT = Path(__file__).parents[1]
CORE = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for file in ROOT.glob("benchspec/**/*.py")
    if file.stem != "__init__"
}
PACKAGES = {f"benchspec.{path.name}" for path in ROOT.glob("benchspec/*/")}
PLUGINS = sorted(ROOT.glob("plugins/benchspec_plugins/**/*.py"))
SPECS = sorted(ROOT.glob("specs/*.yaml"))
HEAVY = {
    "torch",
    "transformers",
    "numpy",
    "datasets",
    "accelerate",
    "deepspeed",
    "tokenizers",
    "pandas",
    "scipy",
    "matplotlib",
}


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


def layers():
    """The packages and entry points, lowest first, each line those of one layer: the list in docs/architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    block = page.partition("### Packages, lowest first")[2].partition("```text")[2].partition("```")[0]
    return [line.split() for line in block.split("\n") if line.strip()]


LAYER = {name: height for height, names in enumerate(layers()) for name in names}


def place(module):
    """The package, or the entry point, that a module of the core belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def foreign(module, imported):
    """Whether an import is one of another package of the core, and which."""
    return {place(name) for name in imported if name in CORE or name in PACKAGES} - {place(module)}


def test_every_package_is_in_the_list_and_nothing_else():
    packages = {path.name for path in ROOT.glob("benchspec/*") if path.is_dir() and path.name != "__pycache__"}
    modules = {path.stem for path in ROOT.glob("benchspec/*.py")}
    assert set(LAYER) - packages - modules <= {"trainer", "benchspec_plugins"}
    assert packages | modules <= set(LAYER)


@pytest.mark.parametrize("module", CORE)
def test_a_module_imports_only_from_layers_below_its_own(module):
    higher = {name for name in foreign(module, imports(CORE[module])) if LAYER[name] >= LAYER[place(module)]}
    assert not higher, f"{module} imports from {higher}"


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_not_know_the_first_party_plugins(module):
    assert "benchspec_plugins" not in CORE[module].read_text()


@pytest.mark.parametrize("module", [module for module in CORE if ".worker." in module])
def test_the_worker_knows_events_and_cases_alone_of_results_and_cases(module):
    theirs = {name for name in imports(CORE[module]) if name.startswith(("benchspec.results", "benchspec.cases"))}
    allowed = ("benchspec.results.events", "benchspec.cases.case", "benchspec.results")
    assert all(name.startswith(allowed[:2]) or name in allowed for name in theirs), theirs


@pytest.mark.parametrize("file", PLUGINS, ids=lambda file: file.stem)
def test_no_plugin_imports_the_worker_or_the_command_line(file):
    assert not {name for name in imports(file) if name.startswith(("benchspec.worker", "benchspec.cli"))}


@pytest.mark.parametrize(
    "package", sorted({place(module) for module in CORE} & {p.name for p in ROOT.glob("benchspec/*/")})
)
def test_modules_of_a_package_import_each_other_in_no_circle(package):
    graph = {module: imports(file) & CORE.keys() for module, file in CORE.items() if place(module) == package}
    assert list(TopologicalSorter(graph).static_order())


WORDS_OF_PLUGINS = {"ds_tensor", "ds_numel", "DTensor", "torchrun", "deepspeed", "DeepSpeed"}


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_not_know_how_a_plugin_does_it(module):
    """Outside docstrings and comments: how a backend stores a parameter, or how a launcher is called."""
    assert not WORDS_OF_PLUGINS & said(CORE[module]) - KNOWN.get(module, set())


#: the libraries whose versions are described, and the one that may be missing
KNOWN = {
    "benchspec.machine.describe": {"deepspeed"},
    "benchspec.machine.missing": {"deepspeed"},
    "benchspec.machine.text": {"deepspeed", "DeepSpeed"},
}


def said(file):
    """Every name and every word of a string in a file, docstrings and comments left out."""
    tree = ast.parse(file.read_text())
    docs = {
        id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and ast.get_docstring(node)
    }
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(tree)}
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return names | {word for text in strings for word in re.findall(r"\w+", text)}


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


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


def test_type_checkers_and_users_find_the_same_names_in_benchspec():
    tree = ast.parse((ROOT / "benchspec/__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed == benchspec._MODULES
    assert all(hasattr(benchspec, name) for name in typed)
