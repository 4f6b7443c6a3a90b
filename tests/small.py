"""Small specs, for tests to change and to check."""

from __future__ import annotations

from benchspec.cases.expand import expand
from benchspec.spec.spec import check
from benchspec.terms.errors import distinct

SMALL = """\
benchspec: 1
name: small
defaults:
  dataset: {name: synthetic, rows: 100}
experiments:
  one:
    model: opt-tiny
"""
#: the same with one published value, whose kind and `where` are to be filled in
REFERENCE = (
    SMALL + "references:\n  - source: a paper\n    metric: train_runtime\n    values:\n      - {experiment: one, %s}\n"
)
#: a spec whose only experiment is to be filled in
HEAD = "benchspec: 1\nname: x\ndefaults: {model: opt-tiny, dataset: synthetic}\nexperiments:\n  one:\n"


def replaced(old, new):
    assert old in SMALL
    return SMALL.replace(old, new)


def mistakes(file, *sets, registry=None):
    """Every line that `benchspec validate` would print, the folder of the spec left out."""
    spec, problems = check(file, sets, registry)
    found = [*problems, *(expand(spec).problems if spec else [])]
    return [str(problem).replace(f"{file.parent}/", "") for problem in distinct(found)]
