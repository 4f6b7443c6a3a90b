"""run.json: the spec, the command, the machine and the plugins of a run directory."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case
from benchspec.cases.shared import shared
from benchspec.cases.statements import statements
from benchspec.cases.trials import SIZE
from benchspec.kinds.options import completed
from benchspec.kinds.values import Facts
from benchspec.machine import identity
from benchspec.running.agenda import Changed
from benchspec.running.there import There
from benchspec.spec import choices
from benchspec.spec.spec import Spec, facts_of
from benchspec.terms.layout import RUN, write_json
from benchspec.terms.where import OWN


def write(
    folder: Path, spec: Spec, cases: Sequence[Case], machine: Mapping[str, Any], changed: Iterable[Changed] = ()
) -> None:
    """Write run.json.

    `machine` is what `machine_here` or `machine_of` returned, `changed` the results that depend on something that is
    no longer as it was.
    """
    data = {
        "schema": 1,
        "name": spec.name,
        "spec": spec.plain(),
        "hash": spec_hash(spec),
        "file": str(spec.file),
        "set": list(spec.sets),
        "command": sys.argv,
        "report": spec.report,
        **machine,
        "plugins": sorted({str(entry.origin) for entry in spec.registry.entries()}),
        "experiments": {name: {"title": _title(name, node.plain())} for name, node in spec.experiments.items()},
        "statements": statements(spec.references, cases),
        "shared": shared(cases),
        "cases": [list(case.key) for case in cases],
        "changed": _changed(changed),
        "searched": {case.full_name: SIZE for case in cases if case.searched},
        "repeats": {case.full_name: case.repeats for case in cases if case.repeats > 1},
        "expected": {case.full_name: list(case.expected) for case in cases},
    }
    write_json(folder / RUN, data)


def _changed(changed: Iterable[Changed]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for launch, result, differences in changed:
        found.setdefault(launch.case.full_name, {})[result.attempt] = [str(each) for each in differences]
    return found


def _title(name: str, experiment: Mapping[str, Any]) -> str:
    return str(experiment.get("title", name))


def machine_here(spec: Spec, found: Mapping[str, Any]) -> dict[str, Any]:
    """This machine, for run.json, from what `describe` found."""
    from benchspec.machine import text

    name = _named_hardware(spec)
    return {
        "hardware": name or hardware_title(spec),
        "machine": found,
        "machine_line": text.line(found),
        "other_figures": _other_figures(spec, name) if name else None,
        "started": time.time(),
    }


def machine_there(spec: Spec, there: There) -> dict[str, Any]:
    """The machine that cases ran on, if it is another one."""
    from benchspec.machine import text

    name = _named_hardware(spec)
    return {
        "hardware": name or _title_of(spec, there.facts),
        "machine": there.machine,
        "machine_line": text.line(there.machine),
    }


def machine_of(earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The machine in an existing run.json, where all results of the run directory were measured."""
    return {key: earlier.get(key) for key in ("hardware", "machine", "machine_line", "other_figures", "started")}


def _other_figures(spec: Spec, name: str) -> str | None:
    """What a named machine's figures, which MFU and cost use, have different from this machine; None if nothing."""
    here = facts_of(spec.registry, completed(spec.registry, "hardware", _default_hardware(spec)))
    found = identity.differences(spec.facts, here)
    return f"the figures of {name}; this machine differs: {'; '.join(found)}" if found else None


def spec_hash(spec: Spec) -> str:
    """A hash of the resolved spec."""
    return hashlib.sha256(json.dumps(spec.plain(), sort_keys=True).encode()).hexdigest()


def hardware_title(spec: Spec) -> str:
    """The accelerators of this machine, and the published machines that have the same."""
    return _title_of(spec, spec.facts)


def _title_of(spec: Spec, here: Facts) -> str:
    published = dict.fromkeys(reference.hardware for reference in spec.references if reference.hardware)
    known = [name for name in published if spec.registry.has("hardware", name)]
    facts = {name: facts_of(spec.registry, completed(spec.registry, "hardware", name)) for name in known}
    return identity.title(here, facts)


def _named_hardware(spec: Spec) -> str | None:
    """The name that the spec gives the machine; None if it takes this one as it is, the default."""
    name = (choices.name_of(spec.hardware) if spec.hardware else _default_hardware(spec)).removeprefix(OWN)
    return None if name == _default_hardware(spec) else name


def _default_hardware(spec: Spec) -> str:
    return str(spec.schema["properties"]["hardware"]["default"])
