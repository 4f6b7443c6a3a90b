"""docs/plugins.md is what the docstrings say."""

import importlib.util
import inspect
from pathlib import Path

import benchspec
from benchspec.kinds.bases import KINDS

ROOT = Path(__file__).parents[2]
WAY = "run `python docs/make_plugins.py`"


def made():
    spec = importlib.util.spec_from_file_location("make_plugins", ROOT / "docs" / "make_plugins.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.page()


def test_the_page_is_made_of_the_docstrings():
    assert (ROOT / "docs" / "plugins.md").read_text() == made(), WAY


def test_the_page_has_every_kind_and_every_method():
    page = made()
    for cls in KINDS.values():
        assert f"\n## {cls.__name__}\n" in page
        for name, method in vars(cls).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                assert f"**`{name}(" in page, f"{cls.__name__}.{name}"


def test_every_class_on_the_page_can_be_imported_from_benchspec():
    names = [line.removeprefix("## ") for line in made().splitlines() if line.startswith("## ")]
    assert len(names) > 10
    assert [name for name in names if not hasattr(benchspec, name)] == []
