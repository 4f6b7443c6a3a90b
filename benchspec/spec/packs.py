"""Reference packs: files of published values, which a spec names among its `references`."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from benchspec.spec import yaml12
from benchspec.spec.document import Node
from benchspec.spec.yaml12 import Budget
from benchspec.terms.errors import SpecError


def with_packs(root: Node) -> Node:
    """The spec with the entries of each pack in the place of its name; raises `SpecError` if one cannot be read."""
    references = root.get("references")
    if references is None or not isinstance(references.value, list):
        return root
    budget = Budget()
    entries = [
        entry for item in references.value for entry in (_entries(item, budget) if _names_pack(item) else [item])
    ]
    return replace(root, value={**root.value, "references": replace(references, value=entries)})


def _names_pack(item: Node) -> bool:
    return isinstance(item.value, str)


def _entries(item: Node, budget: Budget) -> list[Node]:
    """The entries of a pack; `budget` limits all packs together."""
    if "\0" in item.value:
        raise SpecError([item.problem("a path cannot contain a NUL character")])
    file = _file(item)
    pack = yaml12.read(file, str(Path(item.mark.file).parent / item.value), item, budget)
    if not isinstance(pack.value, list) or not all(isinstance(entry.value, dict) for entry in pack.value):
        raise SpecError([pack.problem("a reference pack is a list of entries, each with 'source' and 'values'")])
    entries: list[Node] = pack.value
    return entries


def _file(item: Node) -> Path:
    """The file of a pack: relative to the spec, or `PACKAGE:FILE` of an installed package, which is not imported."""
    text = str(item.value)
    package, colon, name = text.partition(":")
    if not colon:
        return (item.mark.folder or Path()) / text
    found = _found(package)
    if found is None:
        raise SpecError([item.problem(f"no package is called '{package}'; a pack is FILE or PACKAGE:FILE")])
    for folder in found.submodule_search_locations or ():
        file = Path(os.path.realpath(Path(folder) / name))
        # `os.path` also answers for a name that is too long.
        if file.is_relative_to(Path(folder).resolve()) and os.path.isfile(file):  # noqa: PTH113
            return file
    raise SpecError([item.problem(f"the package '{package}' has no file '{name}'")])


def _found(package: str) -> ModuleSpec | None:
    """Where a top-level package is installed; None if there is none of the name."""
    try:
        return find_spec(package) if package.isidentifier() else None
    except ValueError:
        # A module that was loaded without one, such as `__main__`.
        return None
