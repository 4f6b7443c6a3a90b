"""Checks that need a spec's cases: mistakes that only they show, and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, cast

from benchspec.cases.case import Case
from benchspec.cases.expand import Expansion, expand
from benchspec.cases.matrix import idle_excludes
from benchspec.cases.needs import Needed, needed
from benchspec.kinds.bases import FIELDS, Launcher
from benchspec.kinds.registry import Registry
from benchspec.machine.cores import usable_cores
from benchspec.spec import spec as specs
from benchspec.spec.fields import Missing
from benchspec.spec.references import Reference
from benchspec.spec.sources import assignments
from benchspec.spec.spec import Spec
from benchspec.terms.errors import PluginError, Problem, SpecError, distinct, suggest
from benchspec.terms.harmless import clipped
from benchspec.terms.sampling import FIRST_LOOK
from benchspec.terms.where import agrees, lookup, matches


class Checked(NamedTuple):
    """A spec without mistakes."""

    spec: Spec
    expansion: Expansion
    needed: Needed
    warnings: list[Problem]


class Validated(NamedTuple):
    """What `validate` says of a spec."""

    path: str
    #: the number of its cases; 0 where there are mistakes
    cases: int
    #: its mistakes, or without any its warnings
    problems: list[Problem]


def check(
    path: str, sets: Sequence[str] = (), registry: Registry | None = None
) -> tuple[Spec | None, Expansion, list[Problem]]:
    """A spec, its cases, and the mistakes in both."""
    spec, problems = specs.check(path, sets, registry)
    expansion = expand(spec) if spec else Expansion()
    found = [*problems, *expansion.problems]
    if spec and not found:
        found = list(ineffective_sets(spec, expansion.cases))
    return spec, expansion, distinct(found)


def checked(path: str, sets: Sequence[str] = (), registry: Registry | None = None) -> Checked:
    """A spec, its cases, what they need, and warnings; raises `SpecError` with all mistakes."""
    spec, expansion, problems = check(path, sets, registry)
    if spec is None or problems:
        raise SpecError(problems)
    found = needed(spec, expansion)
    return Checked(spec, expansion, found, warnings(spec, expansion, found))


def validated(path: str, registry: Registry) -> Validated:
    """The number of cases of a spec, and its mistakes or warnings."""
    try:
        found = checked(path, (), registry)
    except SpecError as error:
        return Validated(path, 0, error.problems)
    return Validated(path, len(found.expansion.cases), distinct([*found.warnings, *missing(found.expansion)]))


def warnings(spec: Spec, expansion: Expansion, needed: Needed) -> list[Problem]:
    """What is likely to be a mistake, in a spec that has none that is certain."""
    unused = [*unused_references(spec, expansion.cases), *_idle_excludes(spec)]
    found = [*unused, *_of_cases(spec, expansion, needed)]
    return distinct(replace(problem, severity="warning") for problem in found)


def _idle_excludes(spec: Spec) -> Iterator[Problem]:
    for experiment in spec.node.at(["experiments"]).value.values():
        matrix = experiment.get("matrix")
        for entry in idle_excludes(matrix) if matrix and matrix.get("exclude") else ():
            yield entry.problem("no combination of the matrix has these values, so that none is excluded")


def missing(expansion: Expansion) -> list[Problem]:
    """Warnings about what is not on this machine; the spec may run on another one."""
    return distinct(replace(problem, severity="warning") for found in expansion.absent.values() for problem in found)


def unobtainable(spec: Spec, expansion: Expansion, cases: Sequence[Case]) -> list[Problem]:
    """What cases need and is not here, or can be had neither here nor over the network."""
    absent = (problem for case in cases for problem in expansion.absent[case.key])
    of_plugins = Missing(spec.registry, online=True)
    asked = (of_plugins.problems(expansion.nodes[each.key], each.fields, expansion.plugins[each.key]) for each in cases)
    return distinct(chain(absent, *asked))


def _of_cases(spec: Spec, expansion: Expansion, needed: Needed) -> Iterator[Problem]:
    gpus = spec.facts.accelerators
    cores = 0 if gpus else usable_cores()
    for case in expansion.cases:
        node, need = expansion.nodes[case.key], needed[case.key]
        if isinstance(need, PluginError):
            yield node.problem(str(need))
            continue
        crowded = _crowded(need["processes"] // (need["hosts"] or 1), gpus, cores)
        if crowded and not cast(Launcher, expansion.plugins[case.key]["launcher"]).elsewhere:
            yield node.at(["launcher"]).problem(crowded)
        warmup, steps = case.measure["warmup_steps"], need["steps"]
        if case.sampled_to is not None and steps is not None and 0 < steps <= FIRST_LOOK:
            yield node.at(["measure", "mode"]).problem(
                f"nothing is sampled: all {steps} steps run, since the first look is after {FIRST_LOOK}"
            )
        if case.sampled_to is None and "precision" in (case.said.get("measure") or {}):
            yield node.at(["measure", "precision"]).problem("has no effect without mode: sampled")
        if warmup and steps is not None and warmup >= steps:
            yield node.at(["measure", "warmup_steps"]).problem(
                f"{warmup} steps of warm-up leave none of the {steps} steps for rates and step times"
            )


def _crowded(processes: int, gpus: int, cores: float) -> str | None:
    """Says that a machine has fewer GPUs than processes, or if it has none, fewer cores; None if there are enough."""
    if gpus and processes > gpus:
        here = f"a machine with {gpus} GPU{'' if gpus == 1 else 's'}"
        return f"{processes} processes on {here}; lower launcher.processes, or set CUDA_VISIBLE_DEVICES= to use the CPU"
    if not gpus and processes > cores:
        return f"{processes} processes on {cores:g} core{'' if cores == 1 else 's'}: this machine has no GPU"
    return None


def crowded_here(expansion: Expansion, cases: Iterable[Case], gpus: int) -> str | None:
    """Says that this machine, which need not be the spec's, has fewer GPUs or cores than a case has processes on it."""
    launchers = [cast(Launcher, expansion.plugins[case.key]["launcher"]) for case in cases]
    here = [launcher.processes() // (launcher.hosts() or 1) for launcher in launchers if not launcher.elsewhere]
    return _crowded(max(here, default=0), gpus, 0 if gpus else usable_cores())


def ineffective_sets(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    """Values of `--set` that no case has, because an experiment or its matrix gives another."""
    for path, node in assignments(spec.node, spec.sets):
        mine, field = _scope(path, cases)
        if not mine:
            continue
        varied = _axis_of(field, mine)
        own_axis = path[0] == "experiments" and field == varied
        if own_axis or not any(_has(case, field, node.plain()) for case in mine):
            where = f"experiments.{path[1] if path[0] == 'experiments' else 'NAME'}"
            reason = f"the matrix varies '{varied}'" if varied else "the experiments give other values"
            there = f"{where}.matrix.{varied}=[…]" if varied else f"{where}.{field}=…"
            yield node.problem(f"has no effect: {reason}; use --set {there}")


def _axis_of(field: str, cases: Sequence[Case]) -> str | None:
    """The axis that gives a field, or something around it, in any of the cases."""
    axes = dict.fromkeys(axis for case in cases for axis in case.axes)
    return next((axis for axis in axes if f"{field}.".startswith(f"{axis}.")), None)


def _scope(path: Sequence[str], cases: Sequence[Case]) -> tuple[list[Case], str]:
    """The cases that a path of `--set` is about, and the path of their field; no cases if it is about no field."""
    if path[0] == "defaults" and len(path) > 1:
        return list(cases), ".".join(path[1:])
    if path[0] == "experiments" and len(path) > 2 and path[2] in FIELDS:
        return [case for case in cases if case.experiment == path[1]], ".".join(path[2:])
    return [], ""


def _has(case: Case, field: str, value: Any) -> bool:
    """Whether a case has a value, or any part of it if it is a mapping."""
    if isinstance(value, Mapping) and value:
        return any(_has(case, f"{field}.{key}", item) for key, item in value.items())
    return agrees(lookup({**case.said, "repeats": case.repeats}, field), value)


def unused_references(spec: Spec, cases: Sequence[Case]) -> list[Problem]:
    """Warnings about references and expectations that match no case; the spec must have no mistakes."""
    unmatched = [
        *_unused_expectations(spec, cases),
        *_unmatched_references(spec, cases),
        *_unmatched_sources(spec, cases),
    ]
    if spec.sets and len(unmatched) > 1:
        count = f"{len(unmatched)} 'where's of references and expectations match no case"
        unmatched = [replace(unmatched[0], message=f"with --set, {count}; this is the first")]
    return [*unmatched, *_doubtful_references(spec, cases)]


def _unmatched_references(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    for reference in spec.references:
        mine = [case for case in cases if case.experiment == reference.experiment]
        # A reference that names no experiment, such as one of a pack, is of whatever it matches.
        if reference.experiment is not None and not any(matches(reference.where, case.fields) for case in mine):
            yield reference.node.problem("'where' matches no case", severity="warning")


def _unmatched_sources(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    """Sources of a pack of which no value at all is one of any case: a name in them may be misspelt."""
    sources: dict[str, list[Reference]] = {}
    for reference in spec.references:
        sources.setdefault(reference.source, []).append(reference)
    for source, found in sources.items():
        bound = any(reference.experiment is not None for reference in found)
        if not bound and not any(matches(each.where, case.fields) for each in found for case in cases):
            yield found[0].node.problem(f"no value of '{clipped(source)}' matches a case", severity="warning")


def _doubtful_references(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    for reference in spec.references:
        mine = [case for case in cases if case.experiment == reference.experiment]
        for key, path in (*(("per", path) for path in reference.per or ()), ("by", reference.by)):
            if path and mine and all(lookup(case.fields, path) is None for case in mine):
                yield reference.node.problem(f"'{key}' names the field '{path}', which no case has", severity="warning")
        if reference.hardware and not spec.registry.has("hardware", reference.hardware):
            known = spec.registry.names("hardware")
            message = f"no hardware is called '{clipped(reference.hardware)}'{suggest(reference.hardware, known)}"
            yield reference.node.problem(message, severity="warning")


def _unused_expectations(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    for name, node in spec.experiments.items():
        mine = [case.fields for case in cases if case.experiment == name]
        for entry in node.at(["expect"]).value if node.get("expect") else []:
            where = entry.get("where")
            wanted = where.plain() if where else {}
            if wanted and not any(matches(wanted, fields) for fields in mine):
                yield entry.problem("'where' matches no case", severity="warning")
