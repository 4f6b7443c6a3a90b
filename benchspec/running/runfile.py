"""run.json: what was asked for in a run directory, where, and of what."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchspec.cases.case import Case
from benchspec.kinds.values import Facts
from benchspec.results import RUN, read_journal
from benchspec.spec import references
from benchspec.spec.spec import Spec


def write(folder: Path, spec: Spec, cases: Sequence[Case], facts: Facts, *, anew: bool) -> None:
    """run.json: what was asked for, where, and of what; where nothing is left to run, the machine stays as it was."""
    experiments = {name: {"title": node.plain().get("title", name)} for name, node in spec.experiments.items()}
    plugins = sorted({str(entry.origin) for entry in spec.registry.entries()})
    write_json(
        folder / RUN,
        {
            "schema": 1,
            "name": spec.name,
            "spec": spec.plain(),
            "hash": spec_hash(spec),
            "file": str(spec.file),
            "set": list(spec.sets),
            "command": sys.argv,
            "report": spec.report,
            **(_here(folder, spec, facts) if anew else _as_it_was(folder)),
            "plugins": plugins,
            "experiments": experiments,
            "slopes": references.slopes(spec.references),
            "published": {
                f"{case.experiment}/{case.id}": references.published(spec.references, case.experiment, case.fields)
                for case in cases
            },
            "cases": [[case.experiment, case.id] for case in cases],
            "expected": {f"{case.experiment}/{case.id}": list(case.expected) for case in cases},
        },
    )


def _here(folder: Path, spec: Spec, facts: Facts) -> dict[str, Any]:
    """The machine that the cases are about to run on."""
    from benchspec.machine import describe as machine
    from benchspec.machine import text as machine_text

    found, name = machine.describe(), hardware_name(spec, facts)
    line = "; ".join([machine_text.line(found), *_reckoned_as(name, facts, found), *_earlier(folder, found)])
    return {"hardware": name, "machine": found, "machine_line": line, "started": time.time()}


def _reckoned_as(name: str, facts: Facts, found: Mapping[str, Any]) -> list[str]:
    """What must stand beside figures that were reckoned with those of a machine that is not this one."""
    here = len(found["accelerators"])
    same = facts.accelerators == here
    return [] if same else [f"MFU and cost reckoned with the figures of {name}, which this machine is not"]


def _earlier(folder: Path, found: Mapping[str, Any]) -> list[str]:
    """The machine of results that are kept from an earlier run of the same directory, where it was another."""
    if not (folder / RUN).exists() or not read_journal(folder):
        return []
    before = json.loads((folder / RUN).read_text())
    differs = any(before["machine"].get(key) != found.get(key) for key in ("accelerators", "cpu", "libraries"))
    return [f"earlier results: {before['machine_line']}"] if differs else []


def _as_it_was(folder: Path) -> dict[str, Any]:
    """What run.json says of the machine that the results are from."""
    before = json.loads((folder / RUN).read_text())
    return {key: before.get(key) for key in ("hardware", "machine", "machine_line", "started")}


def spec_hash(spec: Spec) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(spec.plain(), sort_keys=True).encode()).hexdigest()


def hardware_name(spec: Spec, facts: Facts) -> str:
    """What the spec calls the machine; for `auto`, the named machine that it is, or what it has."""
    named = spec.hardware.plain() if spec.hardware else "auto"
    name = str(named if isinstance(named, str) else named["name"])
    if name != "auto":
        return name
    published = dict.fromkeys(reference.hardware for reference in spec.references if reference.hardware)
    known = [other for other in published if other in spec.registry.names("hardware")]
    same = [other for other in known if same_machine(_named_facts(spec, other), facts)]
    return same[0] if same else (facts.accelerator and f"{facts.accelerators} × {facts.accelerator}") or "a CPU"


def _named_facts(spec: Spec, name: str) -> Facts:
    from benchspec.kinds.bases import Hardware
    from benchspec.spec import choices as resolve
    from benchspec.spec import document

    value = resolve.plugin(spec.registry, "hardware", document.bare(name))
    return cast(Hardware, spec.registry.create("hardware", value)).facts()


def same_machine(one: Facts, other: Facts) -> bool:
    """Whether two machines have the same accelerators: as many, with the same dense peaks and memory."""
    peaks = [{precision: fact.value for precision, fact in facts.peak.items()} for facts in (one, other)]
    memory = [facts.memory.value if facts.memory else 0 for facts in (one, other)]
    # NVML tells of a little less memory than a data sheet; an H200 and an H100 differ by three quarters.
    alike = abs(memory[0] - memory[1]) < 0.08 * max(*memory, 1)
    return one.accelerators == other.accelerators > 0 and bool(peaks[0]) and peaks[0] == peaks[1] and alike


def write_json(file: Path, data: Any) -> None:
    """Replace a JSON file at once: a reader sees the old one or the new one."""
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)
