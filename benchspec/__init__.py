"""Declarative benchmarks of language-model fine-tuning: what plugin authors and scripts import."""

from benchspec.cases.expand import Case, plan
from benchspec.kinds.bases import (
    Backend,
    Dataset,
    Fact,
    Facts,
    Handle,
    Hardware,
    Job,
    Launcher,
    Method,
    Model,
    Plugin,
    Recipe,
    Reporter,
    Row,
    Shape,
)
from benchspec.kinds.hookspecs import hookimpl
from benchspec.results.results import Result, Results
from benchspec.running.run import run
from benchspec.spec.spec import Spec, load
from benchspec.terms.errors import BenchspecError, NothingSelected, PluginError, RunError, SpecError

__all__ = [
    "Backend",
    "BenchspecError",
    "Case",
    "Dataset",
    "Fact",
    "Facts",
    "Handle",
    "Hardware",
    "Job",
    "Launcher",
    "Method",
    "Model",
    "NothingSelected",
    "Plugin",
    "PluginError",
    "Recipe",
    "Reporter",
    "Result",
    "Results",
    "Row",
    "RunError",
    "Shape",
    "Spec",
    "SpecError",
    "hookimpl",
    "load",
    "plan",
    "run",
]
