"""run.json: the spec, the command, the machine and the plugins of a run directory."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec.cases.case import Case
from benchspec.kinds.options import completed
from benchspec.kinds.values import Facts
from benchspec.machine import identity
from benchspec.results.result import Result
from benchspec.spec import choices, references
from benchspec.spec.spec import Spec, facts_of
from benchspec.terms.layout import RUN, write_json
from benchspec.terms.where import OWN


def write(folder: Path, spec: Spec, cases: Sequence[Case], machine: Mapping[str, Any]) -> None:
    """Write run.json; `machine` is what `machine_here` or `machine_of` returned."""
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
        **_published(spec, cases),
        "cases": [[case.experiment, case.id] for case in cases],
        "expected": {f"{case.experiment}/{case.id}": list(case.expected) for case in cases},
    }
    write_json(folder / RUN, data)


def _title(name: str, experiment: Mapping[str, Any]) -> str:
    return str(experiment.get("title", name))


def _published(spec: Spec, cases: Sequence[Case]) -> dict[str, Any]:
    """The published slopes, and the published values of each case."""
    return {
        "slopes": references.slopes(spec.references),
        "published": {
            f"{case.experiment}/{case.id}": references.published(spec.references, case.experiment, case.fields)
            for case in cases
        },
    }


def machine_here(spec: Spec, earlier: Mapping[str, Any] | None, lines: Sequence[Result]) -> dict[str, Any]:
    """This machine, for run.json; its text also names the machine of `lines`, the earlier results, if it differs."""
    from benchspec.machine import describe, text

    found, name = describe.describe(), hardware_name(spec)
    remarks = [*_other_figures(name, spec.facts, found), *(_earlier(earlier, found) if earlier and lines else [])]
    line = "; ".join([text.line(found), *remarks])
    return {"hardware": name, "machine": found, "machine_line": line, "started": time.time()}


def machine_of(earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The machine in an existing run.json, where all results of the run directory were measured."""
    return {key: earlier.get(key) for key in ("hardware", "machine", "machine_line", "started")}


def _other_figures(name: str, facts: Facts, found: Mapping[str, Any]) -> list[str]:
    """The remark that MFU and cost use the figures of another machine, if this one has other accelerators."""
    here = len(found["accelerators"])
    if facts.accelerators == here:
        return []
    return [
        f"MFU and cost use the figures of {name}; this machine differs: {here} accelerators, not {facts.accelerators}"
    ]


def _earlier(earlier: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The remark that earlier results are from another machine, if they are."""
    before = earlier.get("machine", {})
    differs = any(before.get(key) != found.get(key) for key in ("accelerators", "cpu", "libraries"))
    return [f"earlier results: {earlier.get('machine_line')}"] if differs else []


def spec_hash(spec: Spec) -> str:
    """A hash of the resolved spec."""
    return hashlib.sha256(json.dumps(spec.plain(), sort_keys=True).encode()).hexdigest()


def hardware_name(spec: Spec) -> str:
    """The spec's name for the machine; by default, a published machine that this one equals, or its accelerators."""
    default = spec.schema["properties"]["hardware"]["default"]
    named = choices.name_of(spec.hardware) if spec.hardware else default
    if named.removeprefix(OWN) != default:
        return str(named)
    published = dict.fromkeys(reference.hardware for reference in spec.references if reference.hardware)
    known = [name for name in published if spec.registry.has("hardware", name)]
    facts = {name: facts_of(spec.registry, completed(spec.registry, "hardware", name)) for name in known}
    return identity.name_of(spec.facts, facts)
