"""What the results of a run depend on beside their cases, as it is here and now."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from benchspec.cases.case import Case
from benchspec.kinds import options
from benchspec.kinds.bases import CASE_KINDS, Dataset, Launcher
from benchspec.kinds.discovery import Entry
from benchspec.kinds.registry import Registry
from benchspec.machine import checkout, describe, text


class Dependencies:
    """What each case's result would depend on now; everything that cases share is found out once."""

    def __init__(self, registry: Registry, found: Mapping[str, Any], without: Path):
        """`found` is what `describe` found of this machine.

        Files in the folder `without`, the run directory, are no part of the working directory.
        """
        self._registry = registry
        self._machine = text.parts(found)
        self._libraries = describe.computing(found)
        self._own_commit = found["commit"]
        self._working = checkout.commit_of_folder(Path.cwd(), [without])
        self._code = cache(self._code_of)
        self._identities: dict[str, str | None] = {}

    def of(self, case: Case) -> dict[str, Any]:
        """A case's record, without its data: the ranks say which those were."""
        origins = {entry.origin.project: entry.origin for entry in _entries(self._registry, case)}
        return {
            "processes": self._processes(case),
            # A machine elsewhere describes itself.
            "machine": {} if self._elsewhere(case) else self._machine,
            "libraries": {**self._libraries, **{name: origin.version for name, origin in origins.items()}},
            "commits": {
                **{name: self._code(name) for name in ("benchspec", *origins)},
                "working directory": self._working,
            },
        }

    def with_data(self, case: Case) -> dict[str, Any]:
        """The same with what the data set says its rows depend on, to compare it with a result."""
        return {**self.of(case), "data": {"fingerprint": None, "identity": self._identity(case)}}

    def _elsewhere(self, case: Case) -> bool:
        return cast(type[Launcher], self._registry.find("launcher", case.launcher["name"]).cls).elsewhere

    def _processes(self, case: Case) -> int | None:
        """None if the launcher fails to say, as it will when it is asked to start."""
        try:
            return cast(Launcher, self._registry.create("launcher", case.launcher)).processes()
        except Exception:
            return None

    def _identity(self, case: Case) -> str | None:
        key = json.dumps(case.dataset, sort_keys=True)
        if key not in self._identities:
            self._identities[key] = _identity(self._registry, case)
        return self._identities[key]

    def _code_of(self, project: str) -> dict[str, Any]:
        """The commit and the hash of the code of a distribution's plugins, and of benchspec itself."""
        modules = [entry.origin.module for entry in self._registry.entries() if entry.origin.project == project]
        found = _locations([*modules, *(["benchspec"] if project == "benchspec" else [])])
        if project == "benchspec":
            return checkout.with_code(self._own_commit, found)
        return checkout.with_code(checkout.commit_of_package(found[0]) if found else None, found)


def _entries(registry: Registry, case: Case) -> list[Entry]:
    """The plugins of a case, those in the options of others included."""
    found: list[Entry] = []
    for kind in CASE_KINDS:
        options.mapped(registry, kind, case.fields[kind], lambda entry, name, given: found.append(entry))
    return found


def _identity(registry: Registry, case: Case) -> str | None:
    """What the rows depend on; None where the data set does not know, or cannot say: the ranks will report why."""
    try:
        return cast(Dataset, registry.create("dataset", case.dataset)).identity()
    except Exception:
        return None


def _locations(modules: list[str]) -> list[Path]:
    """The folders of the top-level packages of modules, and the files of modules that are in none."""
    tops = [sys.modules.get(name.partition(".")[0]) for name in dict.fromkeys(modules)]
    files = sorted({Path(top.__file__) for top in tops if top is not None and top.__file__})
    return [file.parent if file.name == "__init__.py" else file for file in files]
