"""Checks that need a spec's cases: mistakes that only they show, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchspec.cases.case import Case
from benchspec.cases.expand import Expansion, expand
from benchspec.kinds.registry import Registry
from benchspec.spec import spec as specs
from benchspec.spec.spec import Spec
from benchspec.terms.errors import Problem, distinct, suggest
from benchspec.terms.where import lookup, matches


def check(
    path: str, sets: Sequence[str] = (), registry: Registry | None = None
) -> tuple[Spec | None, Expansion, list[Problem]]:
    """A spec, its cases, and the mistakes in both."""
    spec, problems = specs.check(path, sets, registry)
    expansion = expand(spec) if spec else Expansion()
    return spec, expansion, distinct([*problems, *expansion.problems])


def unused_references(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    """Warnings about references and expectations that match no case; the spec must have no mistakes."""
    yield from _unused_expectations(spec, cases)
    for reference in spec.references:
        mine = [case for case in cases if case.experiment == reference.experiment]
        if not any(matches(reference.where, case.fields) for case in mine):
            yield reference.node.problem("'where' matches no case", severity="warning")
        for path in reference.per or ():
            if all(lookup(case.fields, path) is None for case in mine):
                yield reference.node.problem(f"'per' names the field '{path}', which no case has", severity="warning")
        if reference.hardware and not spec.registry.has("hardware", reference.hardware):
            known = spec.registry.names("hardware")
            message = f"no hardware is called '{reference.hardware}'{suggest(reference.hardware, known)}"
            yield reference.node.problem(message, severity="warning")


def _unused_expectations(spec: Spec, cases: Sequence[Case]) -> Iterator[Problem]:
    for name, node in spec.experiments.items():
        mine = [case.fields for case in cases if case.experiment == name]
        for entry in node.at(["expect"]).value if node.get("expect") else []:
            where = entry.get("where")
            if where and not any(matches(where.plain(), fields) for fields in mine):
                yield entry.problem("'where' matches no case", severity="warning")
